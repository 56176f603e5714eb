"""Tonight's noise of mids, as the nights to come will learn it.

Every run stores one power and one weight a cell and one correlation: sums, not quotes, so that
what many nights say together is cheap to read and the same however a history is rebuilt.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from monitor.arrays import FloatArray, IntArray
from monitor.diagnostics.base import CHAIN, Evidence, Metric, Outcome, metric
from monitor.diagnostics.noise_model import CELLS, cell_index, guess, learnt_noise
from monitor.market.quotes import Quotes
from monitor.numerics.contrasts import Contrasts, contrasts_of, neighbour_correlation
from monitor.outcome import Rejection
from monitor.replication.chain import PastChain

SOURCE = "Differences across neighbours; Rice (1984), Annals of Statistics 12(4), higher order"
# A contrast mixes the cells of its seven strikes. Powers of its weights let those count that lie
# mostly in one: at four, cells of the recorded chains come out as by maximum likelihood.
_PURITY = 4
# Contrasts beyond so many robust deviations of their cell count as just there: one typing error.
_LARGEST = 4.0
_LEAST_WEIGHT = 0.1
_LEAST_COMMON = 20  # strikes seen on both nights

NOISE_HISTORY = (
    *(("noise_power", scope) for scope in (CHAIN, *CELLS)),
    *(("noise_weight", scope) for scope in CELLS),
    ("noise_neighbour", CHAIN),
)


@lru_cache(maxsize=4)
def chain_contrasts(quotes: Quotes) -> Contrasts:
    """Return the contrasts of tonight's mid vols in units of the guess."""
    return contrasts_of(quotes.k, quotes.iv, guess(quotes), quotes.expiry_index)


@lru_cache(maxsize=4)
def night_noise(quotes: Quotes) -> tuple[FloatArray, FloatArray]:
    """Return power over the guess and weight of each cell tonight, each of shape (cells,)."""
    c = chain_contrasts(quotes)
    cells = len(CELLS)
    if not len(c.value):
        return np.zeros(cells), np.zeros(cells)
    share = np.zeros((len(c.value), cells))
    cell = cell_index(quotes)[c.points]
    np.add.at(share, (np.arange(len(c.value))[:, None], cell), c.weight**2)
    size = np.abs(c.value)
    main = cell[:, cell.shape[1] // 2]
    for i in np.unique(main):
        mine = main == i
        size[mine] = np.minimum(size[mine], _LARGEST * 1.4826 * np.median(size[mine]))
    pure = share**_PURITY
    weight = pure.sum(axis=0)
    power = np.divide(size**2 @ pure, weight, out=np.zeros(cells), where=weight > 0.0)
    return power, weight


def _too_few(metric: Metric) -> Rejection:
    detail = "no expiry has enough neighbouring strikes to tell noise from a curve"
    return Rejection("metric", "not_enough_data", metric.name, detail)


@metric(
    "noise_power",
    unit="1",
    level="market",
    definition="Variance of mid vols around any smooth smile, over the variance of a value that is "
    "uniform between bid and ask; for the chain and by width in ticks, wing and tenor.",
    source=SOURCE,
)
def noise_power(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield tonight's noise; cells that hardly occur are passed over."""
    power, weight = night_noise(evidence.quotes)
    seen = weight >= _LEAST_WEIGHT
    if not seen.any():
        yield _too_few(metric)
        return
    n = len(chain_contrasts(evidence.quotes).value)
    total = float(np.sum((power * weight)[seen]) / np.sum(weight[seen]))
    yield metric.value(evidence, total, n=n)
    for i in np.flatnonzero(seen):
        yield metric.value(evidence, power[i], scope=CELLS[i], n=int(np.ceil(weight[i])))


@metric(
    "noise_weight",
    unit="count",
    level="market",
    definition="Observations behind a cell's noise: sum over contrasts of the fourth power of the "
    "share that lies in the cell.",
    source="Own",
)
def noise_weight(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the weights of the cells that have a noise tonight."""
    _, weight = night_noise(evidence.quotes)
    seen = np.flatnonzero(weight >= _LEAST_WEIGHT)
    if not len(seen):
        yield _too_few(metric)
    for i in seen:
        yield metric.value(evidence, weight[i], scope=CELLS[i], n=int(np.ceil(weight[i])))


@metric(
    "noise_neighbour",
    unit="1",
    level="market",
    definition="Correlation of the noise of neighbouring strikes of an expiry, by the products of "
    "neighbouring contrasts against their squares.",
    source="Method of moments; a first-order autoregression along strikes",
)
def noise_neighbour(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield how far neighbours go together tonight."""
    contrasts = chain_contrasts(evidence.quotes)
    rho = neighbour_correlation(contrasts)
    yield _too_few(metric) if rho is None else metric.value(evidence, rho, n=len(contrasts.value))


@metric(
    "noise_lasting",
    unit="1",
    level="market",
    definition="Correlation of tonight's contrasts with last night's about the same strikes: the "
    "part of the noise that stays over night, and that no average over nights removes.",
    source="Own",
    needs="one night",
)
def noise_lasting(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield how much of the noise is last night's."""
    last = evidence.history.last_chain
    if last is None:
        yield Rejection("metric", "no_last_night", metric.name, "no earlier chain")
        return
    now, then = chain_contrasts(evidence.quotes), _past_contrasts(last)
    quotes = evidence.quotes
    expiry = quotes.expiry_ms[quotes.expiry_index]
    before = _by_strike(last.expiry_ms, last.strike, then)
    pairs = np.array(
        [
            (value, before[key])
            for key, value in _by_strike(expiry, quotes.strike, now).items()
            if key in before
        ]
    ).reshape(-1, 2)
    if len(pairs) < _LEAST_COMMON or not np.all(np.std(pairs, axis=0) > 0.0):
        detail = f"{len(pairs)} strikes in common, at least {_LEAST_COMMON} wanted"
        yield Rejection("metric", "not_enough_data", metric.name, detail)
        return
    # Ranks: one mad quote on both nights would make a correlation by itself.
    ranks = np.argsort(np.argsort(pairs, axis=0), axis=0)
    yield metric.value(evidence, np.corrcoef(ranks[:, 0], ranks[:, 1]).item(1), n=len(pairs))


def _past_contrasts(last: PastChain) -> Contrasts:
    iv, half = 0.5 * (last.iv_bid + last.iv_ask), 0.5 * (last.iv_ask - last.iv_bid)
    return contrasts_of(last.k, iv, half, last.expiry_ms)


def _by_strike(
    expiry_ms: IntArray, strike: FloatArray, contrasts: Contrasts
) -> dict[tuple[int, float], float]:
    at = contrasts.middle
    names = zip(expiry_ms[at].tolist(), strike[at].tolist(), strict=True)
    return dict(zip(names, contrasts.value.tolist(), strict=True))


@metric(
    "noise_deviation",
    unit="half-spreads",
    level="market",
    definition="Learnt standard deviation of mids over the half-spread, root mean square over "
    "tonight's quotes: what a right model's residual would be.",
    source=SOURCE,
    needs="quiet nights, if any; else bid and ask alone",
)
def noise_deviation(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield how noisy tonight's quotes are by what was learnt before tonight."""
    quotes = evidence.quotes
    if not quotes.n:
        yield Rejection("metric", "no_quotes", metric.name)
        return
    noise = learnt_noise(evidence.history)
    ratio = noise.deviation(quotes) / (0.5 * (quotes.iv_ask - quotes.iv_bid))
    yield metric.value(evidence, float(np.sqrt(np.mean(ratio**2))), n=quotes.n)
