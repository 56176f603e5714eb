"""Smiles, expiry by expiry: SVI, lognormal SABR and SSVI on the same 720 quotes.

The quotes are those of the Heston table, so that each form misfits them by what it cannot follow.
SSVI of peers is the surface with one correlation and a power law; ours has a correlation an expiry,
and both are judged by error and by whether slices cross.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from monitor.arrays import FloatArray
from monitor.calibration.settings import CalibrationSettings
from monitor.calibration.solve import calibrate
from monitor.market.quotes import Quotes
from monitor.models import MODELS
from tests.benchmarks.peers import OURS, Row, Runner, race, ratio, table
from tests.benchmarks.peers_surfaces import surface

Vols = Callable[[Quotes], Callable[[], FloatArray]]


def _ours(name: str) -> Vols:
    settings = CalibrationSettings(restarts=1)
    return lambda quotes: lambda: calibrate(MODELS[name], quotes, settings=settings).iv


def _slices(quotes: Quotes) -> list[tuple[FloatArray, FloatArray, float]]:
    """Return log-moneyness, vol and tenor of every expiry."""
    here = [quotes.expiry_index == j for j in range(quotes.m)]
    return [(quotes.k[h], quotes.iv[h], float(t)) for h, t in zip(here, quotes.tau, strict=True)]


def _foureng_svi(quotes: Quotes) -> Callable[[], FloatArray]:
    from foureng.surface.svi import fit_svi_smile, svi_implied_vol

    def one(k: FloatArray, iv: FloatArray, tau: float) -> FloatArray:
        return np.asarray(svi_implied_vol(k, tau, fit_svi_smile(k, iv, tau).params))

    return lambda: np.concatenate([one(*s) for s in _slices(quotes)])


def _foureng_sabr(quotes: Quotes) -> Callable[[], FloatArray]:
    from foureng.surface.calibration import (
        SabrParams,
        calibrate_sabr_smile,
        sabr_hagan_implied_vol,
    )

    def one(k: FloatArray, iv: FloatArray, tau: float) -> FloatArray:
        begin = SabrParams(alpha=float(iv[len(iv) // 2]), beta=1.0, rho=-0.1, nu=1.0)
        p = calibrate_sabr_smile(1.0, tau, np.exp(k), iv, begin).params
        found = sabr_hagan_implied_vol(1.0, np.exp(k), tau, p.alpha, 1.0, p.rho, p.nu)
        return np.asarray(found)

    return lambda: np.concatenate([one(*s) for s in _slices(quotes)])


def _foureng_ssvi(quotes: Quotes) -> Callable[[], FloatArray]:
    from foureng.surface.ssvi import fit_ssvi_surface, ssvi_implied_vol

    k, iv, tau = zip(*_slices(quotes), strict=True)

    def work() -> FloatArray:
        found = fit_ssvi_surface(k, iv, tau)
        return np.concatenate(
            [
                ssvi_implied_vol(a, t, level, found.params)
                for a, level, t in zip(k, found.theta_t, tau, strict=True)
            ]
        )

    return work


def _quantlib_svi(quotes: Quotes) -> Callable[[], FloatArray]:
    import QuantLib as ql  # noqa: N813

    today = ql.Date(1, 1, 2026)
    ql.Settings.instance().evaluationDate = today

    def one(k: FloatArray, iv: FloatArray, tau: float) -> FloatArray:
        atm, free = float(np.interp(0.0, k, iv)), (False,) * 5
        strikes = np.exp(k).tolist()
        begin = (0.5 * atm**2 * tau, 0.3 * atm * tau**0.5, 0.5 * atm * tau**0.5, -0.1, 0.0)
        section = ql.SviInterpolatedSmileSection(
            today + round(365 * tau), 1.0, strikes, False, atm, iv.tolist(), *begin, *free, False
        )
        return np.array([section.volatility(strike) for strike in strikes])

    return lambda: np.concatenate([one(*s) for s in _slices(quotes)])


def _quantlib_sabr(quotes: Quotes) -> Callable[[], FloatArray]:
    import QuantLib as ql  # noqa: N813

    def one(k: FloatArray, iv: FloatArray, tau: float) -> FloatArray:
        strikes = np.exp(k).tolist()
        begin = (float(np.interp(0.0, k, iv)), 1.0, 1.0, -0.1)
        found = ql.SABRInterpolation(
            strikes, iv.tolist(), tau, 1.0, *begin, False, True, False, False, False
        )
        return np.array([found(strike) for strike in strikes])

    return lambda: np.concatenate([one(*s) for s in _slices(quotes)])


TASKS: dict[str, tuple[Runner, ...]] = {
    "SVI": (
        Runner(OURS, "", _ours("svi")),
        Runner("QuantLib", "QuantLib", _quantlib_svi),
        Runner("fourier-option-pricer", "fourier-option-pricer", _foureng_svi),
    ),
    "SABR, beta = 1": (
        Runner(OURS, "", _ours("sabr")),
        Runner("QuantLib", "QuantLib", _quantlib_sabr),
        Runner("fourier-option-pricer", "fourier-option-pricer", _foureng_sabr),
    ),
    "SSVI": (
        Runner(f"{OURS} (eSSVI, free of arbitrage)", "", _ours("ssvi")),
        Runner("fourier-option-pricer", "fourier-option-pricer", _foureng_ssvi),
    ),
}


def show(rounds: int) -> None:
    """Print the tables of smiles."""
    quotes = surface("heston")
    for name, runners in TASKS.items():
        rows = race(runners, quotes, rounds)
        table(
            f"{name}: {quotes.m} expiries, {quotes.n} quotes",
            ("", "IV RMSE", "worst", "no vol", "ms", "time", "note"),
            [_cells(row, quotes, rows) for row in rows],
        )


def _cells(row: Row, quotes: Quotes, rows: list[Row]) -> tuple[str, ...]:
    if row.answer is None:
        return row.name, "", "", "", "", "", row.note
    error = row.answer - quotes.iv
    known = np.isfinite(error)
    rmse = f"{np.sqrt(np.mean(error[known] ** 2)):.5f}"
    worst = f"{np.max(np.abs(error[known])):.4f}"
    missing = str(int((~known).sum()))
    return row.name, rmse, worst, missing, f"{1e3 * row.seconds:.1f}", ratio(row, rows), row.note
