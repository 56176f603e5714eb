"""Implied volatility: inversion of exact premiums over a hard grid.

The grid is that of the published comparison: log-moneyness +-1.5, total deviation 0.01 to 3, out of
the money, premiums in forty digits rounded once. Premiums below the smallest normal number are
left out: they have no digits to be right to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from monitor.arrays import FloatArray
from tests.benchmarks.peers import OURS, Row, Runner, race, ratio, table

STRIKES, DEVIATIONS = 313, 320
# A vol is wrong, not merely rough, beyond this relative error.
_WRONG = 1e-3

Data = tuple[FloatArray, FloatArray, FloatArray, FloatArray]  # k, c, sign, v


def hard_grid() -> Data:
    """Return log-moneyness, exact premium, sign and true deviation of every point."""
    from tests.pricing.exact import black_exact

    k, v = np.meshgrid(np.linspace(-1.5, 1.5, STRIKES), np.geomspace(0.01, 3.0, DEVIATIONS))
    k, v = k.ravel(), v.ravel()
    sign = np.where(k >= 0.0, 1.0, -1.0)
    # Far beyond, no premium is a normal number, and forty digits of it cost as much as of others.
    seen = np.abs(k) < 38.0 * v
    k, v, sign = k[seen], v[seen], sign[seen]
    c = np.array([float(black_exact(*point)) for point in zip(k, v, sign, strict=True)])
    seen = c > 2.3e-308
    return k[seen], c[seen], sign[seen], v[seen]


def _ours(data: Data) -> Callable[[], Any]:
    from monitor.pricing.implied import implied_deviation

    k, c, sign, _ = data
    return lambda: implied_deviation(k, c, sign)[0]


def _pyfeng(data: Data) -> Callable[[], Any]:
    import pyfeng

    k, c, sign, _ = data
    model, strike = pyfeng.Bsm(0.2), np.exp(k)
    return lambda: model.impvol(c, strike, 1.0, 1.0, cp=sign)


def _lbriv(data: Data) -> Callable[[], Any]:
    import lbriv

    k, c, sign, _ = data
    calls, strike = sign > 0.0, np.exp(k)

    def work() -> FloatArray:
        out = np.empty(len(k))
        out[calls] = lbriv.vectorized_implied_vol_strikes(c[calls], 1.0, strike[calls], 1)
        out[~calls] = lbriv.vectorized_implied_vol_strikes(c[~calls], 1.0, strike[~calls], -1)
        return out

    return work


def _vanilla(data: Data) -> Callable[[], Any]:
    from vanilla_option_pricers.black_scholes import infer_bsm_ivols_from_slice_prices

    k, c, sign, _ = data
    kind, strike = np.where(sign > 0.0, "C", "P"), np.exp(k)
    return lambda: infer_bsm_ivols_from_slice_prices(1.0, 1.0, 1.0, strike, kind, c)


def _foureng(data: Data) -> Callable[[], Any]:
    from foureng.iv.lets_be_rational import implied_vol_lets_be_rational

    k, c, sign, _ = data
    strike, cp = np.exp(k), sign.astype(np.int64)
    return lambda: implied_vol_lets_be_rational(c, 1.0, strike, 1.0, cp=cp)


def _vollib_vectorized(data: Data) -> Callable[[], Any]:
    from py_vollib_vectorized.implied_volatility import vectorized_implied_volatility_black

    k, c, sign, _ = data
    one, flags, strike = np.ones(len(k)), np.where(sign > 0.0, "c", "p").tolist(), np.exp(k)

    def work() -> FloatArray:
        found = vectorized_implied_volatility_black(
            c, one, strike, 0.0 * one, one, flags, return_as="numpy", on_error="ignore"
        )
        return np.asarray(found)

    return work


def _quantlib(data: Data) -> Callable[[], Any]:
    import QuantLib as ql  # noqa: N813

    k, c, sign, _ = data
    kinds = [ql.Option.Call if s > 0.0 else ql.Option.Put for s in sign.tolist()]
    points = list(zip(kinds, np.exp(k).tolist(), c.tolist(), strict=True))

    def work() -> FloatArray:
        out = np.full(len(points), np.nan)
        for i, (kind, strike, price) in enumerate(points):
            try:
                out[i] = ql.blackFormulaImpliedStdDev(kind, strike, 1.0, price)
            except RuntimeError:  # its way to say that it found none
                continue
        return out

    return work


_SCALAR_STEP = 50


def _vollib(data: Data) -> Callable[[], Any]:
    from vollib.black.implied_volatility import implied_volatility

    k, c, sign, _ = (a[::_SCALAR_STEP] for a in data)
    flags, strike = np.where(sign > 0.0, "c", "p").tolist(), np.exp(k).tolist()
    points = list(zip(c.tolist(), strike, flags, strict=True))
    return lambda: np.array([implied_volatility(p, 1.0, s, 0.0, 1.0, f) for p, s, f in points])


RUNNERS = (
    Runner(OURS, "", _ours),
    Runner("PyFENG", "pyfeng", _pyfeng),
    Runner("lbriv", "lbriv", _lbriv),
    Runner("vanilla-option-pricers", "vanilla-option-pricers", _vanilla),
    # Before the next, which puts its own functions into this one.
    Runner("vollib", "vollib", _vollib, part=1.0 / _SCALAR_STEP),
    Runner("py_vollib_vectorized", "py_vollib_vectorized", _vollib_vectorized),
    Runner("fourier-option-pricer", "fourier-option-pricer", _foureng),
    Runner("QuantLib", "QuantLib", _quantlib),
)


def show(rounds: int) -> None:
    """Print the table of implied volatility."""
    data = hard_grid()
    v = data[3]
    rows = race(RUNNERS, data, rounds)
    table(
        f"Implied volatility: {len(v):,} exact premiums, out of the money",
        ("", "worst relative error", "none found", "wrong", "M vols / core-second", "time", "note"),
        [_cells(row, v, rows) for row in rows],
    )


def _cells(row: Row, v: FloatArray, rows: list[Row]) -> tuple[str, ...]:
    if row.answer is None:
        return row.name, "", "", "", "", "", row.note
    found = np.asarray(row.answer, dtype=np.float64)
    truth = v if len(found) == len(v) else v[::_SCALAR_STEP]
    with np.errstate(all="ignore"):
        error = np.abs(found / truth - 1.0)
    none = ~np.isfinite(found) | (found <= 0.0)
    wrong = ~none & (error > _WRONG)
    fine = ~none & ~wrong
    worst = f"{np.max(error[fine]):.1e}" if fine.any() else ""
    speed = f"{len(v) / row.seconds / 1e6:.2f}"
    shares = f"{np.mean(none):.1%}", f"{np.mean(wrong):.1%}"
    return row.name, worst, *shares, speed, ratio(row, rows), row.note
