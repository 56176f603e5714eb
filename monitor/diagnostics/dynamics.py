"""Do the dynamics that option prices imply agree with what the coin did? P against Q.

A model that fits the smile by parameters which the coin's own path contradicts fits for the wrong
reason (Bakshi, Cao and Chen's internal consistency). Spot variance and correlation are the same
under both measures; jumps and vol of vol may carry a premium, so that their gaps are read against
their own history, and only presence against absence is called.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from monitor.arrays import FloatArray
from monitor.diagnostics.base import Evidence, Metric, Outcome, metric
from monitor.diagnostics.realised import (
    JUMP_LEVEL,
    per_year,
    scope_of,
    windows,
)
from monitor.numerics.realised import Realised
from monitor.outcome import Rejection

BCC = "Bakshi, Cao and Chen (1997), Journal of Finance 52(5), section III"
_LEAST_MOVES = 200  # hours of price and volatility index together
_TAU_INDEX = 30.0 / 365.0  # of the volatility index
_HOUR_MS = 3_600_000
# An implied share of variance is a share if it is a tenth, and two of its errors from nothing.
_LEAST_SHARE, _ERRORS = 0.1, 2.0


def _values(evidence: Evidence) -> dict[str, float]:
    assert evidence.fit is not None
    return dict(zip(evidence.fit.names, evidence.fit.params.tolist(), strict=True))


def _jump_variance(value: dict[str, float]) -> float | None:
    """Return the jumps' variance a year under Q, None for a model without jumps."""
    if not {"lam", "mu_j", "sigma_j"} <= set(value):
        return None
    return value["lam"] * (value["mu_j"] ** 2 + value["sigma_j"] ** 2)


def implied_spot_variance(evidence: Evidence) -> float | None:
    """Return the variance a year that the model's prices say the coin has now, jumps included.

    The fitted spot variance where the model has one, else the model's variance nearest the money
    of the nearest expiry; None where it gives neither.
    """
    fit, quotes = evidence.fit, evidence.quotes
    assert fit is not None
    value = _values(evidence)
    if "v0" in value:
        spot = value["v0"] + (_jump_variance(value) or 0.0)
    else:
        known = np.flatnonzero(np.isfinite(fit.iv))
        if not len(known):
            return None
        first = known[quotes.expiry_index[known] == quotes.expiry_index[known[0]]]
        spot = float(fit.iv[first[np.argmin(np.abs(quotes.k[first]))]] ** 2)
    return spot if np.isfinite(spot) and spot > 0.0 else None


def implied_jump_share(evidence: Evidence) -> tuple[float, float | None] | None:
    """Return the jumps' share of spot variance under Q and its error; None without jumps.

    The error, by the delta method, is None where a parameter has none.
    """
    fit = evidence.fit
    assert fit is not None
    value = _values(evidence)
    jumps = _jump_variance(value)
    if jumps is None or "v0" not in value or not value["v0"] + jumps > 0.0:
        return None
    total = value["v0"] + jumps
    slope = {
        "v0": -jumps / total**2,
        "lam": jumps / value["lam"] * value["v0"] / total**2 if value["lam"] > 0.0 else 0.0,
        "mu_j": 2.0 * value["lam"] * value["mu_j"] * value["v0"] / total**2,
        "sigma_j": 2.0 * value["lam"] * value["sigma_j"] * value["v0"] / total**2,
    }
    at = [fit.names.index(name) for name in slope]
    known = [i for i in range(len(at)) if fit.at_bound[at[i]] == 0]
    weights = np.array(list(slope.values()))[known]
    covariance = fit.covariance[np.ix_(np.array(at)[known], np.array(at)[known])]
    variance = float(weights @ covariance @ weights) if known else np.nan
    error = float(np.sqrt(variance)) if np.isfinite(variance) and variance >= 0.0 else None
    return jumps / total, error


def index_moves(evidence: Evidence) -> tuple[FloatArray, FloatArray, FloatArray] | str:
    """Return hourly log returns, moves of the volatility index with them, and its level before.

    A sentence instead where fewer than `_LEAST_MOVES` hours have both.
    """
    context = evidence.snapshot.context
    close = dict(
        zip(
            context.candles_1h.time_ms.tolist(),
            context.candles_1h.column("close").tolist(),
            strict=True,
        )
    )
    at, level = context.dvol.time_ms, context.dvol.column("value")
    rows = [
        (close[t], close[t - _HOUR_MS], level[i], level[i - 1])
        for i, t in enumerate(at.tolist())
        if i and t - _HOUR_MS == at[i - 1] and t in close and t - _HOUR_MS in close
    ]
    moves = np.array(rows).reshape(-1, 4)
    moves = moves[np.all(np.isfinite(moves) & (moves > 0.0), axis=1)]
    if len(moves) < _LEAST_MOVES:
        return f"{len(moves)} hours with price and volatility index, {_LEAST_MOVES} are needed"
    return np.log(moves[:, 0] / moves[:, 1]), moves[:, 2] - moves[:, 3], moves[:, 3]


def _refused(metric: Metric, evidence: Evidence, reason: str, detail: str) -> Rejection:
    assert evidence.model is not None
    return Rejection("metric", reason, f"{metric.name}/{evidence.model.name}", detail)


@metric(
    "spot_variance_gap",
    unit="log",
    level="model",
    definition="Logarithm of the spot variance that option prices imply over that realised in the "
    "last day by minutes, or the last week by hours.",
    source="Andersen, Fusari and Todorov (2015), Econometrica 83(3), third test",
)
def spot_variance_gap(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the gap for the shortest window with candles."""
    spot = implied_spot_variance(evidence)
    if spot is None:
        yield _refused(metric, evidence, "not_fitted", "the model gives no spot variance")
        return
    name, found = _shortest(evidence)
    if isinstance(found, str):
        yield _refused(metric, evidence, "no_candles", found)
        return
    value = float(np.log(spot / (found.variance * per_year(name))))
    error = found.variance_error / found.variance
    scope = scope_of(evidence.snapshot.context, name)
    yield metric.value(evidence, value, scope=scope, n=found.n, stderr=error)


def _shortest(evidence: Evidence) -> tuple[str, Realised | str]:
    found = windows(evidence.snapshot)
    return next(((n, f) for n, f in found.items() if not isinstance(f, str)), ("1d", found["1d"]))


@metric(
    "jump_share_gap",
    unit="share",
    level="model",
    definition="The jumps' share of variance that option prices imply, less their share of the "
    "coin's own variance over 30 days.",
    source=f"{BCC}; Barndorff-Nielsen and Shephard (2006)",
)
def jump_share_gap(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the gap of a model with jumps."""
    implied, found = implied_jump_share(evidence), windows(evidence.snapshot)["30d"]
    if implied is None:
        yield _refused(metric, evidence, "no_jumps", "the model has no jumps")
    elif isinstance(found, str):
        yield _refused(metric, evidence, "no_candles", found)
    else:
        share, error = implied
        both = None if error is None else float(np.hypot(error, found.jump_share_error))
        scope = scope_of(evidence.snapshot.context, "30d")
        value = share - found.jump_share
        yield metric.value(evidence, value, scope=scope, n=found.n, stderr=both)


def jumps_under(evidence: Evidence) -> str | None:
    """Return under which measures there are jumps: ``P``, ``Q``, ``both`` or ``neither``.

    Under P where the test of thirty days' returns is beyond one chance in a thousand. Under Q
    where their share of implied variance is at least a tenth and, if it has an error, two of it
    from nothing. None where either cannot be said.
    """
    implied, found = implied_jump_share(evidence), windows(evidence.snapshot)["30d"]
    if implied is None or isinstance(found, str):
        return None
    share, error = implied
    in_q = share >= _LEAST_SHARE and (error is None or share > _ERRORS * error)
    in_p = found.jump_z > JUMP_LEVEL
    return {(True, True): "both", (True, False): "P", (False, True): "Q"}.get(
        (in_p, in_q), "neither"
    )


@metric(
    "jump_agreement",
    unit="1",
    level="model",
    definition="Where there are jumps, as scope: under P only (-1), under Q only (1), both or "
    "neither (0).",
    source=f"{BCC}; own levels of evidence, see `diagnostics.dynamics.jumps_under`",
)
def jump_agreement(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield whether option prices and the coin agree that there are jumps."""
    found = jumps_under(evidence)
    if found is None:
        yield _refused(metric, evidence, "no_jumps_or_candles", "no jumps in model, or no candles")
        return
    value = {"P": -1.0, "Q": 1.0}.get(found, 0.0)
    marked = scope_of(evidence.snapshot.context, found).replace("window:", "jumps:")
    yield metric.value(evidence, value, scope=marked, n=1)


@metric(
    "correlation_gap",
    unit="Fisher z",
    level="model",
    definition="Correlation of price and variance that option prices imply, less that of hourly "
    "log returns and moves of the volatility index over 30 days, both in Fisher's z.",
    source=f"{BCC}; venue's candles and 30-day volatility index",
)
def correlation_gap(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the gap of a model with a correlation of its own."""
    rho = _values(evidence).get("rho")
    if rho is None or "v0" not in _values(evidence):
        yield _refused(metric, evidence, "no_correlation", "no correlation of price and variance")
        return
    moves = index_moves(evidence)
    if isinstance(moves, str):
        yield _refused(metric, evidence, "no_candles", moves)
        return
    returns, changes, _ = moves
    if not (np.std(returns) > 0.0 and np.std(changes) > 0.0):
        yield _refused(metric, evidence, "no_candles", "price or volatility index did not move")
        return
    seen = float(np.corrcoef(returns, changes)[0, 1])
    value = float(np.arctanh(rho) - np.arctanh(np.clip(seen, -0.9999, 0.9999)))
    n = len(returns)
    # Hours have fatter tails than Fisher's normal ones; blocks of two days tell.
    error = max(1.0 / np.sqrt(n - 3.0), _spread_of_blocks(returns, changes))
    scope = scope_of(evidence.snapshot.context, "30d")
    yield metric.value(evidence, value, scope=scope, n=n, stderr=float(error))


def _spread_of_blocks(x: FloatArray, y: FloatArray, length: int = 48) -> float:
    """Return the standard error of Fisher's z by the correlations of blocks of hours."""
    blocks = [
        np.corrcoef(x[i : i + length], y[i : i + length])[0, 1]
        for i in range(0, len(x) - length + 1, length)
        if np.std(x[i : i + length]) > 0.0 and np.std(y[i : i + length]) > 0.0
    ]
    z = np.arctanh(np.clip(blocks, -0.9999, 0.9999))
    return float(np.std(z, ddof=1) / np.sqrt(len(z))) if len(z) > 2 else 0.0


@metric(
    "vol_of_vol_gap",
    unit="log",
    level="model",
    definition="Logarithm of the vol of variance that option prices imply over the one that makes "
    "the model's 30-day variance move as the volatility index did over 30 days.",
    source=f"{BCC}; venue's 30-day volatility index",
)
def vol_of_vol_gap(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the gap of a model with a square-root variance."""
    value = _values(evidence)
    if not {"v0", "kappa", "xi"} <= set(value):
        yield _refused(metric, evidence, "no_vol_of_vol", "no square-root variance")
        return
    moves = index_moves(evidence)
    if isinstance(moves, str):
        yield _refused(metric, evidence, "no_candles", moves)
        return
    _, changes, level = moves
    # d(index^2) = B xi sqrt(v) dW with B = (1 - exp(-kappa T)) / (kappa T); v taken as index^2.
    decay = value["kappa"] * _TAU_INDEX
    B = -np.expm1(-decay) / decay
    moved = 2.0 * level * changes / (B * level)
    size = float(np.mean(moved**2))
    if not size > 0.0:
        yield _refused(metric, evidence, "no_candles", "the volatility index did not move")
        return
    seen = np.sqrt(size * 365.0 * 24.0)
    error = 0.5 * float(np.std(moved**2) / size) / np.sqrt(len(moved))
    scope = scope_of(evidence.snapshot.context, "30d")
    gap = float(np.log(value["xi"] / seen))
    yield metric.value(evidence, gap, scope=scope, n=len(moved), stderr=error)
