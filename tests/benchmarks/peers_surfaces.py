"""Calibration of a whole surface: Heston and Bates on 720 quotes of their own law, with noise.

Twelve expiries of a day to a year, sixty strikes each out to three deviations, normal noise of 0.17
vol points. Every peer starts from the same first guess and is judged by the root mean squared error
of implied vol at its parameters, all priced by one engine (ours, which its tests hold to an
independent quadrature).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from monitor.arrays import FloatArray
from monitor.calibration.settings import CalibrationSettings
from monitor.calibration.solve import calibrate, grid_of, model_iv
from monitor.market.quotes import Quotes
from monitor.models import MODELS
from tests.benchmarks.peers import OURS, Row, Runner, race, ratio, table
from tests.calibration.chains import grid_of_tenors, quotes_by

DAYS = np.array([1.0, 2.0, 3.0, 7.0, 14.0, 21.0, 30.0, 60.0, 90.0, 180.0, 270.0, 365.0])
STRIKES, REACH, NOISE = 60, 3.0, 0.0017
TRUTH = {
    # About what a recorded chain of 2026 is fitted by: vol of variance far beyond the textbook's.
    "heston": np.array([0.25, 3.1, 0.4, 4.0, -0.3]),
    "bates": np.array([0.25, 3.1, 0.4, 2.5, -0.3, 2.0, -0.1, 0.15]),
    # Of the same order of variance, skew and kurtosis.
    "svcj": np.array([0.25, 3.1, 0.4, 2.5, -0.3, 2.0, -0.1, 0.15, 0.3, -0.2]),
    "merton": np.array([0.5, 4.0, -0.1, 0.15]),
    "kou": np.array([0.5, 8.0, 0.4, 0.08, 0.1]),
    "variance_gamma": np.array([0.6, 0.02, -0.5]),
}
# v0, kappa, theta_v, xi, rho and lam, mu_j, sigma_j: what somebody might begin with.
START = np.array([0.3, 2.0, 0.3, 1.0, -0.1, 0.5, -0.05, 0.1])


def surface(name: str, seed: int = 20261122) -> Quotes:
    """Return the quotes of a model's own law with noise."""
    grid = grid_of_tenors(DAYS, n=STRIKES, reach=REACH)
    return quotes_by(MODELS[name], TRUTH[name], grid, noise=NOISE, rng=np.random.default_rng(seed))


def _ours(name: str, restarts: int = 1) -> Callable[[Quotes], Callable[[], FloatArray]]:
    settings = CalibrationSettings(restarts=restarts)
    return lambda quotes: lambda: calibrate(MODELS[name], quotes, settings=settings).params


def _ours_warm(name: str) -> Callable[[Quotes], Callable[[], FloatArray]]:
    def prepare(quotes: Quotes) -> Callable[[], FloatArray]:
        # Last night: the truth a little elsewhere. Kernels are kept, as the pulse keeps them.
        start, grid = TRUTH[name] * 1.03, grid_of(quotes)
        return lambda: calibrate(MODELS[name], quotes, grid=grid, start=start).params

    return prepare


def _foureng(name: str) -> Callable[[Quotes], Callable[[], FloatArray]]:
    def prepare(quotes: Quotes) -> Callable[[], FloatArray]:
        from foureng.models.bates import BatesParams
        from foureng.models.heston import HestonParams
        from foureng.surface.model_calibration import MarketQuotes
        from foureng.surface.model_calibration import calibrate as fit

        tau = quotes.tau[quotes.expiry_index]
        market = MarketQuotes(1.0, 0.0, 0.0, tau, np.exp(quotes.k), ivs=quotes.iv)
        v0, kappa, theta, nu, rho, lam, mu, sigma = START.tolist()
        heston = {"kappa": kappa, "theta": theta, "nu": nu, "rho": rho, "v0": v0}
        begin = (
            HestonParams(**heston)
            if name == "heston"
            else BatesParams(**heston, lam_j=lam, mu_j=mu, sigma_j=sigma)
        )

        def work() -> FloatArray:
            p = fit(name, market, begin).params
            found = [p.v0, p.kappa, p.theta, p.nu, p.rho]
            return np.array(found if name == "heston" else [*found, p.lam_j, p.mu_j, p.sigma_j])

        return work

    return prepare


def _quantlib(name: str, nodes: int) -> Callable[[Quotes], Callable[[], FloatArray]]:
    def prepare(quotes: Quotes) -> Callable[[], FloatArray]:
        import QuantLib as ql  # noqa: N813

        today, count = ql.Date(1, 1, 2026), ql.Actual365Fixed()
        ql.Settings.instance().evaluationDate = today
        flat = ql.YieldTermStructureHandle(ql.FlatForward(today, 0.0, count))
        spot = ql.QuoteHandle(ql.SimpleQuote(1.0))
        days = np.round(365.0 * quotes.tau).astype(int)[quotes.expiry_index]
        weights = (1.0 / quotes.vega**2).tolist()

        def work() -> FloatArray:
            v0, kappa, theta, nu, rho, lam, mu, sigma = START.tolist()
            heston = (flat, flat, spot, v0, kappa, theta, nu, rho)
            if name == "heston":
                model = ql.HestonModel(ql.HestonProcess(*heston))
                engine = ql.AnalyticHestonEngine(model, nodes)
            else:
                model = ql.BatesModel(ql.BatesProcess(*heston, lam, mu, sigma))
                engine = ql.BatesEngine(model, nodes)
            helpers = []
            for k, iv, day in zip(
                quotes.k.tolist(), quotes.iv.tolist(), days.tolist(), strict=True
            ):
                helper = ql.HestonModelHelper(
                    ql.Period(day, ql.Days),
                    ql.NullCalendar(),
                    1.0,
                    float(np.exp(k)),
                    ql.QuoteHandle(ql.SimpleQuote(iv)),
                    flat,
                    flat,
                    ql.BlackCalibrationHelper.PriceError,
                )
                helper.setPricingEngine(engine)
                helpers.append(helper)
            method = ql.LevenbergMarquardt(1e-8, 1e-8, 1e-8)
            end = ql.EndCriteria(500, 50, 1e-8, 1e-8, 1e-8)
            model.calibrate(helpers, method, end, ql.NoConstraint(), weights)
            # QuantLib's order: theta, kappa, sigma, rho, v0, then nu (mean jump), delta, lambda.
            p = np.array(list(model.params()))
            found = p[[4, 1, 0, 2, 3]]
            return found if name == "heston" else np.concatenate([found, p[[7, 5, 6]]])

        return work

    return prepare


def _pyfeng(quotes: Quotes) -> Callable[[], FloatArray]:
    import pyfeng
    from scipy.optimize import least_squares

    here = [quotes.expiry_index == j for j in range(quotes.m)]
    strikes = [np.exp(quotes.k[h]) for h in here]
    cp = [quotes.sign[h] for h in here]
    model = pyfeng.Bsm(quotes.iv)
    tau = quotes.tau[quotes.expiry_index]
    price = model.price(np.exp(quotes.k), 1.0, tau, cp=quotes.sign)

    def residuals(x: FloatArray) -> FloatArray:
        v0, kappa, theta, nu, rho = x
        heston = pyfeng.HestonFft(v0, vov=nu, rho=rho, mr=kappa, theta=theta)
        model_price = [
            heston.price(strikes[j], 1.0, float(quotes.tau[j]), cp=cp[j]) for j in range(quotes.m)
        ]
        return np.asarray((np.concatenate(model_price) - price) / quotes.vega)

    lower, upper = np.array([1e-4, 0.05, 1e-4, 0.01, -0.99]), np.array([4.0, 50.0, 4.0, 10.0, 0.99])

    def work() -> FloatArray:
        found = least_squares(
            residuals, START[:5], bounds=(lower, upper), x_scale=np.abs(START[:5])
        )
        return np.asarray(found.x)

    return work


def show_heston(rounds: int) -> None:
    """Print the table of Heston."""
    runners = (
        Runner(f"{OURS}, cold", "", _ours("heston")),
        Runner(f"{OURS}, three cold starts", "", _ours("heston", 3)),
        Runner(f"{OURS}, warm", "", _ours_warm("heston")),
        Runner("fourier-option-pricer (COS)", "fourier-option-pricer", _foureng("heston")),
        Runner("QuantLib, 64 nodes", "QuantLib", _quantlib("heston", 64)),
        Runner("QuantLib, 144 nodes", "QuantLib", _quantlib("heston", 144)),
        Runner("PyFENG + scipy", "pyfeng", _pyfeng),
    )
    _show("heston", runners, rounds)


def show_bates(rounds: int) -> None:
    """Print the table of Bates."""
    runners = (
        Runner(f"{OURS}, cold", "", _ours("bates")),
        Runner(f"{OURS}, three cold starts", "", _ours("bates", 3)),
        Runner(f"{OURS}, warm", "", _ours_warm("bates")),
        Runner("fourier-option-pricer (COS)", "fourier-option-pricer", _foureng("bates")),
        Runner("QuantLib, 64 nodes", "QuantLib", _quantlib("bates", 64)),
    )
    _show("bates", runners, rounds)


def show_models(rounds: int) -> None:
    """Print the table of every Fourier model of ours on 720 quotes of its own law."""
    rows = []
    for name, truth in TRUTH.items():
        quotes = surface(name)
        grid = grid_of(quotes)
        cold, warm, price = race(
            (
                Runner(OURS, "", _ours(name)),
                Runner("warm", "", _ours_warm(name)),
                Runner("one evaluation", "", lambda _: lambda: model_iv(MODELS[name], truth, grid)),  # noqa: B023
            ),
            quotes,
            rounds,
        )
        fit = calibrate(MODELS[name], quotes, settings=CalibrationSettings(restarts=1))
        rmse = float(np.sqrt(np.mean((fit.iv - quotes.iv) ** 2)))
        times = [f"{1e3 * row.seconds:.1f}" for row in (cold, warm, price)]
        rows.append((name, f"{rmse:.7f}", str(fit.evaluations), *times, str(fit.status)))
    table(
        "Ours, each on 720 quotes of its own law, one start",
        ("", "IV RMSE", "evaluations", "cold ms", "warm ms", "one evaluation ms", "status"),
        rows,
    )


def _show(name: str, runners: tuple[Runner, ...], rounds: int) -> None:
    quotes = surface(name)
    grid = grid_of(quotes)
    rows = race(runners, quotes, rounds)

    def cells(row: Row) -> tuple[str, ...]:
        if row.answer is None:
            return row.name, "", "", "", "", row.note
        vols = model_iv(MODELS[name], row.answer, grid)
        known = np.isfinite(vols)
        rmse = float(np.sqrt(np.mean((vols - quotes.iv)[known] ** 2))) if known.any() else np.nan
        gap = f"{np.max(np.abs(row.answer / TRUTH[name] - 1.0)):.1%}"
        note = row.note or ("" if known.all() else f"{int((~known).sum())} quotes without a vol")
        return row.name, f"{rmse:.7f}", gap, f"{1e3 * row.seconds:.1f}", ratio(row, rows), note

    floor = model_iv(MODELS[name], TRUTH[name], grid) - quotes.iv
    table(
        f"{name.capitalize()}: {quotes.n} quotes, RMSE at the truth "
        f"{float(np.sqrt(np.mean(floor**2))):.7f}",
        ("", "IV RMSE", "worst parameter", "ms", "time", "note"),
        [cells(row) for row in rows],
    )
