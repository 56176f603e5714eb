"""What tonight's misfit is made of, what its change is, and what moved: parts that add up.

A block is the whole chain (level), an expiry, a wing or one expiry's wing. What an error of a
block's vols looks like in the residuals is known: the error itself, less what the fit follows of
it. Blocks overlap, so the next part is always the block that explains most of what is left; the
parts are orthogonal and sum to the whole, and what no block explains is noise of single strikes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.special import ndtri

from monitor.arrays import BoolArray, FloatArray, IntArray
from monitor.calibration.solve import model_iv
from monitor.conventions import expiry_label
from monitor.diagnostics.base import CHAIN, Evidence, Metric, Outcome, metric
from monitor.diagnostics.detectable import buckets_of, usual_of_buckets
from monitor.diagnostics.noise_model import learnt_noise
from monitor.diagnostics.places import WINGS, wing_index
from monitor.diagnostics.residual import residual_iv
from monitor.diagnostics.residual_law import ResidualLaw, tonights_law
from monitor.market.quotes import Quotes
from monitor.models.base import Grid
from monitor.numerics.pursuit import Parts, pursue
from monitor.outcome import Rejection
from monitor.replication.chain import PastChain

KINDS = ("level", "expiry", "wing", "bucket")
STRIKE = "strike"
# Of its length: what is left of a block's error where the fit follows nearly all says nothing.
_LEAST_ANSWER = 0.05
_CHANCE = 0.01  # that the best of all blocks is taken where there is noise alone
_LEAST_NAMED = 0.05  # of the whole: smaller blocks are counted and not named
SOURCE = "Orthogonal matching pursuit; Pati, Rezaiifar and Krishnaprasad (1993)"


@dataclass(frozen=True, eq=False)
class Blocks:
    """Every block of a chain that has quotes, coarse before fine."""

    kind: tuple[str, ...]
    scope: tuple[str, ...]
    members: np.ndarray[tuple[int, int], np.dtype[np.bool_]]  # (n, b)

    @cached_property
    def shift(self) -> FloatArray:
        """An error of one of each block's quotes, shape (n, b)."""
        return self.members.astype(np.float64)


@lru_cache(maxsize=4)
def blocks_of(quotes: Quotes) -> Blocks:
    """Return level, wings, expiries and buckets of a chain."""
    wings, buckets = wing_index(quotes), buckets_of(quotes)
    there = np.unique(wings).tolist()
    labels = [expiry_label(int(e)) for e in quotes.expiry_ms]
    columns = [
        np.ones((quotes.n, 1), np.bool_),
        wings[:, None] == np.array(there, dtype=np.int64),
        quotes.expiry_index[:, None] == np.arange(quotes.m),
        buckets.members,
    ]
    return Blocks(
        kind=("level",) + ("wing",) * len(there) + ("expiry",) * quotes.m
        + ("bucket",) * len(buckets.scope),
        scope=("level", *(f"wing:{WINGS[w]}" for w in there), *(f"expiry:{e}" for e in labels),
               *buckets.scope),
        members=np.hstack(columns),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Attribution:
    """Residuals taken apart: mean squares in their scale, by kind and by block."""

    total: float
    by_kind: dict[str, float]
    by_block: dict[str, float]
    n: int


def attribute(
    evidence: Evidence, residual: FloatArray, *, nights: int, usual: FloatArray | None = None
) -> Attribution | None:
    """Return residuals taken apart by block; None where none is known.

    Parameters
    ----------
    evidence : Evidence
    residual : ndarray of shape (n,)
        Model minus market, or its change; NaN where unknown.
    nights : int
        Whose noise it holds: two for a change.
    usual : ndarray of shape (b,), optional
        By how much each bucket's residual moves anyway; not at all where not given.
    """
    assert evidence.fit is not None
    quotes, seen = evidence.quotes, np.isfinite(residual)
    if not seen.any():
        return None
    blocks, buckets = blocks_of(quotes), buckets_of(quotes)
    law = tonights_law(quotes, evidence.fit, learnt_noise(evidence.history))
    moved = np.zeros(len(buckets.scope)) if usual is None else usual
    scale = np.hypot(quotes.noise, buckets.shift @ moved)
    known = np.where(seen, 1.0 / scale, 0.0)
    atoms = _answered(law, blocks) * known[:, None]
    answer, whole = np.einsum("ij,ij->j", atoms, atoms), (known * known) @ blocks.shift
    atoms[:, answer <= _LEAST_ANSWER**2 * whole] = 0.0
    weights = atoms / scale[:, None]
    together = (buckets.shift * moved).T @ weights
    noise = nights * (weights.T @ law.noise_times(weights)) + together.T @ together
    limit = float(ndtri(0.5 * _CHANCE / len(blocks.kind))) ** 2
    parts = pursue(np.where(seen, residual / scale, 0.0), atoms, noise, limit)
    return _named(blocks, parts, int(seen.sum()))


@lru_cache(maxsize=2)
def _answered(law: ResidualLaw, blocks: Blocks) -> FloatArray:
    """Return what an error of each block's vols leaves in the residuals, shape (n, b)."""
    return law.answered(blocks.shift)


def _named(blocks: Blocks, parts: Parts, n: int) -> Attribution:
    by_kind, by_block = dict.fromkeys(KINDS, 0.0), {}
    for b, gain in zip(parts.picked.tolist(), parts.gain.tolist(), strict=True):
        by_kind[blocks.kind[b]] += gain / n
        by_block[blocks.scope[b]] = gain / n
    by_kind[STRIKE] = parts.left / n
    return Attribution(sum(by_kind.values()), by_kind, by_block, n)


@lru_cache(maxsize=4)
def _tonight(evidence: Evidence) -> Attribution | None:
    return attribute(evidence, residual_iv(evidence), nights=1)


@lru_cache(maxsize=4)
def _change(evidence: Evidence) -> Attribution | None:
    before = residual_then(evidence)
    if before is None:
        return None
    usual = usual_of_buckets(evidence)
    return attribute(evidence, residual_iv(evidence) - before, nights=2, usual=usual)


def residual_then(evidence: Evidence) -> FloatArray | None:
    """Return last night's residual of each of tonight's options, NaN where there was none.

    None without a chain and a fit of one and the same night.
    """
    model, last = evidence.model, evidence.history.last_chain
    assert model is not None
    past = evidence.history.fits.get(model.name)
    if past is None or last is None or not last.n or past.as_of_ms != last.as_of_ms:
        return None
    grid = _past_grid(last)
    if not np.array_equal(grid.expiry_ms, past.expiry_ms):
        return None
    residual = model_iv(model, past.params, grid) - 0.5 * (last.iv_bid + last.iv_ask)
    place = _places_then(evidence.quotes, last)
    return np.where(place >= 0, residual[place], np.nan)


# Once for all models of a night, which share its kernels: chains are compared by identity.
@lru_cache(maxsize=2)
def _past_grid(last: PastChain) -> Grid:
    """Return where models are asked for the vols of a past chain."""
    expiry, first = np.unique(last.expiry_ms, return_index=True)
    index: IntArray = np.searchsorted(expiry, last.expiry_ms)
    near = np.array([first[j] + np.argmin(np.abs(last.k[index == j])) for j in range(len(expiry))])
    return Grid(expiry, last.tau[first], index, last.k, last.w[near])


@lru_cache(maxsize=2)
def _places_then(quotes: Quotes, last: PastChain) -> IntArray:
    """Return the place of each of tonight's options in a past chain, -1 where it has none."""
    names = zip(last.expiry_ms.tolist(), last.strike.tolist(), strict=True)
    known = {name: i for i, name in enumerate(names)}
    asked = zip(quotes.expiry_ms[quotes.expiry_index].tolist(), quotes.strike.tolist(), strict=True)
    return np.array([known.get(option, -1) for option in asked], dtype=np.int64)


def _parts(
    metric: Metric, evidence: Evidence, found: Attribution | None, why: str
) -> Iterator[Outcome]:
    if found is None:
        yield _without(metric, evidence, why)
        return
    yield metric.value(evidence, found.total, n=found.n)
    for kind, part in found.by_kind.items():
        yield metric.value(evidence, part, scope=f"part:{kind}", n=found.n)


def _blocks(
    metric: Metric, evidence: Evidence, found: Attribution | None, why: str
) -> Iterator[Outcome]:
    if found is None or not found.total > 0.0:
        yield _without(metric, evidence, why)
        return
    shares = {scope: part / found.total for scope, part in found.by_block.items()}
    named = {scope: share for scope, share in shares.items() if share >= _LEAST_NAMED}
    if not named:
        yield _without(metric, evidence, "no block explains a twentieth of it")
    for scope, share in named.items():
        yield metric.value(evidence, share, scope=f"block:{scope}", n=found.n)


def _without(metric: Metric, evidence: Evidence, why: str) -> Rejection:
    assert evidence.model is not None
    return Rejection("metric", "no_parts", f"{metric.name}/{evidence.model.name}", why)


_NO_VALUE = "the model gives no vol at any quote"
_NO_NIGHT = "no chain and fit of one earlier night"


Found = Callable[[Evidence], Attribution | None]
Report = Callable[[Metric, Evidence, Attribution | None, str], Iterator[Outcome]]
_TONIGHT: tuple[Found, str, str] = (
    _tonight,
    _NO_VALUE,
    "quiet nights, if any; else bid and ask alone",
)
_CHANGE: tuple[Found, str, str] = (
    _change,
    _NO_NIGHT,
    "one night; quiet nights and 10 nights of class_bias_iv, if any",
)
# Of each number: of what, how it is told, unit, definition.
_TAKEN_APART: dict[str, tuple[tuple[Found, str, str], Report, str, str]] = {
    "misfit_part": (
        _TONIGHT,
        _parts,
        "half-spreads^2",
        "Mean square of residuals over half-spreads, and what of it is level, expiries, wings, "
        "single wings of an expiry (bucket) and noise of strikes: parts that sum to it.",
    ),
    "misfit_block": (
        _TONIGHT,
        _blocks,
        "share",
        "Share of tonight's mean square residual that an error of one block explains, less what "
        "blocks before it explained; blocks of a twentieth and more.",
    ),
    "misfit_change_part": (
        _CHANGE,
        _parts,
        "1",
        "Mean square of the change of residuals since last night, over the options of both, in "
        "units of half-spread and usual nightly movement, and the parts of misfit_part of it: what "
        "is new in the misfit.",
    ),
    "misfit_change_block": (
        _CHANGE,
        _blocks,
        "share",
        "Share of the change of residuals since last night that an error of one block explains: "
        "where the misfit is new.",
    ),
}


def _register() -> None:
    for name, ((found, why, needs), report, unit, definition) in _TAKEN_APART.items():

        def compute(
            metric: Metric,
            evidence: Evidence,
            found: Found = found,
            why: str = why,
            report: Report = report,
        ) -> Iterator[Outcome]:
            return report(metric, evidence, found(evidence), why)

        metric(name, unit=unit, level="model", definition=definition, source=SOURCE, needs=needs)(
            compute
        )


_register()


@metric(
    "change_part",
    unit="vol^2",
    level="model",
    definition="Mean square of tonight's market vol minus last night's model, frozen, on tonight's "
    "quotes; and of it what the states' move, the structure's move and the remainder go along "
    "with: mean products with the whole, which sum to it and may be negative.",
    source="Covariance decomposition of a sum",
    needs="one night",
)
def change_part(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the change and its three parts."""
    assert evidence.fit is not None
    frozen, refreshed = evidence.frozen_iv, evidence.refreshed
    if frozen is None or refreshed is None:
        yield _without(metric, evidence, _NO_NIGHT)
        return
    market, tonight = evidence.quotes.iv, evidence.fit.iv
    change = market - frozen
    parts = {
        "states": refreshed.iv - frozen,
        "structure": tonight - refreshed.iv,
        "remainder": market - tonight,
    }
    known: BoolArray = np.isfinite(sum(parts.values()))
    n = int(known.sum())
    if not n:
        yield _without(metric, evidence, _NO_VALUE)
        return
    yield metric.value(evidence, float(np.mean(change[known] ** 2)), scope=CHAIN, n=n)
    for name, part in parts.items():
        along = float(np.mean(part[known] * change[known]))
        yield metric.value(evidence, along, scope=f"part:{name}", n=n)
