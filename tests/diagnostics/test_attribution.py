"""Misfit and change are sums of parts, and an error on one block is put down to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.calibration.solve import calibrate, evaluate, model_iv
from monitor.diagnostics.attribution import KINDS, STRIKE, blocks_of, residual_then
from monitor.diagnostics.base import METRICS, NO_HISTORY, History, Series
from monitor.diagnostics.detectable import USUAL_HISTORY
from monitor.diagnostics.noise_model import learnt_noise
from monitor.diagnostics.residual import residual_iv
from monitor.models import MODELS
from monitor.replication.chain import PastChain
from tests.diagnostics.evidence import reasons, remembered, value, values
from tests.diagnostics.noisy import evidence_of, quoted
from tests.diagnostics.simulated import GRID, TRUE, taught, truth

MODEL = MODELS["heston"]
RNG = np.random.default_rng(1)
TAUGHT = taught(RNG)
STATES = np.array([p.role == "state" for p in MODEL.parameters])
LAST = quoted(GRID, truth(), RNG)
THEN = calibrate(MODEL, LAST, start=TRUE)
PAST = replace(
    TAUGHT, fits={"heston": remembered(THEN, LAST)}, last_chain=PastChain.of(LAST)
)  # fmt: skip


def shifted(quotes, error):
    return replace(
        quotes, iv=quotes.iv + error, iv_bid=quotes.iv_bid + error, iv_ask=quotes.iv_ask + error
    )


def night(error_of=None, *, history=PAST, rng=RNG, iv=None):
    """The evidence on a night by Heston with an error on some quotes."""
    quotes = quoted(GRID, truth() if iv is None else iv, rng)
    if error_of is not None:
        quotes = shifted(quotes, error_of(quotes))
    fit = calibrate(MODEL, quotes, start=TRUE)
    frozen = evaluate(MODEL, quotes, THEN.params).iv
    refreshed = calibrate(MODEL, quotes, start=THEN.params, free=STATES)
    return replace(
        evidence_of(quotes, history), model=MODEL, fit=fit, frozen_iv=frozen, refreshed=refreshed
    )


def block_error(scope, size):
    return lambda quotes: size * blocks_of(quotes).members[:, blocks_of(quotes).scope.index(scope)]


SCOPES = blocks_of(LAST).scope
NAMED = ("wing:put", "wing:call", SCOPES[5], SCOPES[7], SCOPES[-1], SCOPES[-6], SCOPES[-3])


@pytest.mark.parametrize("name", ["misfit_part", "misfit_change_part"])
@pytest.mark.parametrize("size", [0.0, 0.01, 0.1])
def test_parts_sum_to_the_misfit_to_nine_digits(name, size):
    found = values(name, night(block_error(NAMED[3], size)))
    parts = [found[f"part:{kind}"] for kind in (*KINDS, STRIKE)]
    assert sum(parts) == pytest.approx(found["chain"], rel=1e-9)
    assert min(parts) >= 0.0


def test_the_whole_is_the_mean_square_of_what_it_is_said_to_be():
    evidence = night()
    z = residual_iv(evidence) / evidence.quotes.noise
    assert value("misfit_part", evidence) == pytest.approx(np.mean(z**2), rel=1e-9)
    change = residual_iv(evidence) - residual_then(evidence)
    known = np.isfinite(change)
    z = (change / evidence.quotes.noise)[known]
    assert value("misfit_change_part", evidence) == pytest.approx(np.mean(z**2), rel=1e-9)


@pytest.mark.parametrize("name", ["misfit", "misfit_change"])
@pytest.mark.parametrize("scope", NAMED)
def test_an_error_on_one_block_gets_four_fifths_and_the_blocks_name(scope, name):
    # Three vol points: far above the noise, so that what is missed is the attribution's fault.
    kind, shares = scope.split(":")[0], []
    for _ in range(5):
        evidence = night(block_error(scope, 0.03))
        parts, named = values(f"{name}_part", evidence), values(f"{name}_block", evidence)
        assert max(named, key=named.get) == f"block:{scope}"
        attributed = 1.0 - parts[f"part:{STRIKE}"] / parts["chain"]
        shares.append(named[f"block:{scope}"] / attributed)
        assert parts[f"part:{kind}"] >= (named[f"block:{scope}"] - 1e-12) * parts["chain"]
    assert np.mean(shares) >= 0.8


@pytest.mark.moves("misfit_part misfit_block misfit_change_part misfit_change_block")
def test_thrice_the_error_on_a_block_is_nine_times_the_misfit_and_more_of_it_the_blocks():
    scope = NAMED[3]
    small, large = (
        night(block_error(scope, size), rng=np.random.default_rng(5)) for size in (0.01, 0.03)
    )
    for name in ("misfit", "misfit_change"):
        parts = [values(f"{name}_part", e) for e in (small, large)]
        kind = f"part:{scope.split(':')[0]}"
        # What the fit follows and what noise adds are not in proportion.
        assert parts[1][kind] == pytest.approx(9.0 * parts[0][kind], rel=0.25)
        assert parts[1][f"part:{STRIKE}"] < 2.0 * parts[0][f"part:{STRIKE}"]
        share = [values(f"{name}_block", e)[f"block:{scope}"] for e in (small, large)]
        assert share[0] < share[1] < 1.0


def test_noise_alone_is_put_down_to_strikes():
    shares = []
    for _ in range(10):
        found = values("misfit_part", night())
        shares.append(found[f"part:{STRIKE}"] / found["chain"])
    assert np.median(shares) == 1.0
    assert reasons("misfit_block", night()) <= {"no_parts"}


def test_an_error_that_the_model_follows_is_not_in_its_misfit():
    level = night(lambda quotes: 0.02 * np.ones(quotes.n), iv=truth())
    deep = night(block_error("wing:put", 0.02))
    assert value("misfit_part", level) < 0.3 * value("misfit_part", deep)


def test_standing_misfit_is_in_the_misfit_and_not_in_its_change():
    bent = shifted(LAST, block_error("wing:put", 0.03)(LAST))
    fit = calibrate(MODEL, bent, start=TRUE)
    past = replace(PAST, fits={"heston": remembered(fit, bent)}, last_chain=PastChain.of(bent))
    standing = night(block_error("wing:put", 0.03), history=past)
    assert values("misfit_block", standing)["block:wing:put"] > 0.5
    change = values("misfit_change_part", standing)
    assert change["chain"] < 0.5 * value("misfit_part", standing)
    assert change[f"part:{STRIKE}"] > 0.8 * change["chain"]


def test_what_moves_every_night_anyway_is_not_named_in_a_change():
    moves = 0.05 * RNG.standard_normal(60)
    usual = {("heston", *key): Series(np.arange(60), moves) for key in USUAL_HISTORY}
    restless = replace(PAST, series={**PAST.series, **usual})
    error = block_error(NAMED[3], 0.02)
    assert f"block:{NAMED[3]}" in values("misfit_change_block", night(error))
    assert not values("misfit_change_block", night(error, history=restless))
    assert f"block:{NAMED[3]}" in values("misfit_block", night(error, history=restless))
    for name in ("misfit_change_part", "misfit_change_block"):
        assert "10 nights of class_bias_iv" in METRICS[name].needs


def test_last_nights_residual_is_that_of_the_option_and_of_its_own_night():
    evidence = night()
    quotes = evidence.quotes
    found = residual_then(evidence)
    then = {
        (int(LAST.expiry_ms[j]), s): r
        for j, s, r in zip(LAST.expiry_index, LAST.strike, THEN.iv - LAST.iv, strict=True)
    }
    for i in range(0, quotes.n, 5):
        option = (int(quotes.expiry_ms[quotes.expiry_index[i]]), quotes.strike[i])
        if option in then:
            assert found[i] == pytest.approx(then[option], abs=1e-7)
        else:
            assert np.isnan(found[i])
    older = replace(PAST.fits["heston"], as_of_ms=LAST.as_of_ms - 86_400_000)
    stale = night(history=replace(PAST, fits={"heston": older}))
    assert residual_then(stale) is None
    for name in ("misfit_change_part", "misfit_change_block"):
        assert reasons(name, stale) == {"no_parts"}
        assert reasons(name, night(history=NO_HISTORY)) == {"no_parts"}


def change_of(changes):
    """The parts of a change on a night whose truth has these parameters changed."""
    true = TRUE.copy()
    names = [p.name for p in MODEL.parameters]
    for name, by in changes.items():
        true[names.index(name)] += by
    found = values("change_part", night(iv=model_iv(MODEL, true, GRID)))
    parts = {kind: found[f"part:{kind}"] for kind in ("states", "structure", "remainder")}
    assert sum(parts.values()) == pytest.approx(found["chain"], rel=1e-9)
    return {kind: part / found["chain"] for kind, part in parts.items()}


@pytest.mark.moves("change_part")
def test_the_change_is_states_and_structure_and_remainder_by_what_moved():
    assert change_of({"v0": 0.1})["states"] > 0.8
    assert change_of({"rho": 0.4})["structure"] > 0.8
    assert change_of({})["remainder"] > 0.6
    assert reasons("change_part", replace(night(), refreshed=None)) == {"no_parts"}


def test_the_noise_that_decides_is_the_learnt_one():
    assert learnt_noise(PAST).nights == learnt_noise(History(series=TAUGHT.series)).nights > 0
