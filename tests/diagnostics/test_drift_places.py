"""Which constant, which wing and which expiry it is that moved."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from monitor.diagnostics.base import METRICS, History, Series
from monitor.diagnostics.drift_rules import DriftRules
from monitor.diagnostics.points import SMILE_SCOPES, TERM_DAYS, TERM_SCOPES
from monitor.models import MODELS
from tests.diagnostics.evidence import fit_saying, market, values
from tests.market.chains import AS_OF, chain

DAY = 86_400_000
RULES = DriftRules(streams=6)
# As a venue lists them: dailies, weeklies, monthlies, quarters.
LISTED = (1, 2, 3, 7, 14, 21, 28, 56, 84, 175, 266)
EXPIRIES = tuple(AS_OF + timedelta(days=d, hours=8) for d in LISTED)
ON_CHAIN = market(chain(n_strikes=9, expiries=EXPIRIES, forwards=(90_000.0,) * len(EXPIRIES)))
FIT = fit_saying(ON_CHAIN.quotes, ON_CHAIN.quotes.iv)


CONSTANTS = {"kappa": 3.0, "theta_v": 0.3, "xi": 1.5, "rho": -0.3}


def constants(n, *, times=None, tonight=None):
    """Return the evidence after `n` nights of Heston's constants, one of them in another unit."""
    rng, series, now = np.random.default_rng(6), {}, {}
    for name, usual in CONSTANTS.items():
        factor = (times or {}).get(name, 1.0)
        past = factor * usual * np.exp(0.1 * rng.standard_normal(n))
        key = ("heston", "param", f"param:{name}")
        series[key] = Series(DAY * np.arange(n), past)
        now[key] = factor * usual * np.exp(0.1 * (tonight or {}).get(name, 0.0))
    history = History(series=series)
    at = replace(ON_CHAIN, history=history, tonight=now, drift=RULES)
    return replace(at, model=MODELS["heston"], fit=FIT)


@pytest.mark.moves("structure_away")
def test_the_constant_that_left_its_place_is_the_one_that_is_away_in_any_unit():
    still, moved = (
        values("structure_away", constants(60, tonight=tonight)) for tonight in ({}, {"kappa": 4.0})
    )
    # Four of the deviations that were drawn; the reference's own are known to a tenth.
    assert moved["param:kappa"] - still["param:kappa"] == pytest.approx(4.0, rel=0.2)
    for name in ("theta_v", "xi", "rho"):
        assert moved[f"param:{name}"] == still[f"param:{name}"]
    # A logarithm does not know the level of what is positive.
    twice = values("structure_away", constants(60, times={"kappa": 2.0}))
    assert twice == pytest.approx(still, rel=1e-6)


def test_a_structure_of_four_constants_wants_a_reference_of_48_nights_and_says_so():
    # Renewed at 40 and at 60 nights: of those it is the latter that has as many.
    assert not values("structure_away", constants(59))
    assert values("structure_away", constants(60))
    assert "10 for each" in METRICS["structure_away"].needs


SMILE = np.array([0.53, 0.515, 0.5, 0.485, 0.47])


def smile_night(*, step=(0, 0, 0, 0, 0), level=0.0, lifted=None, seed=8):
    """Return a night after a step of the last six: of points, of all, or of one listed expiry."""
    rng, n, tau = np.random.default_rng(seed), 70, ON_CHAIN.quotes.tau
    common, skew = 0.02 * rng.standard_normal((2, n, 1))
    recent = (np.arange(n) >= n - 6)[:, None]
    points = SMILE + common + skew * np.linspace(-1.0, 1.0, 5) + recent * (level + np.array(step))
    points = points + 0.001 * rng.standard_normal(points.shape)
    vols = 0.5 + common + 0.001 * rng.standard_normal((n, len(LISTED))) + level * recent
    vols = vols + 0.02 * recent * (np.array(LISTED) == lifted)
    wanted = np.array(TERM_DAYS) / 365.0
    flat_beyond = np.minimum(wanted, tau[-1])
    terms = np.sqrt([np.interp(wanted, tau, v * v * tau) / flat_beyond for v in vols])
    columns = {
        **{("smile_point_iv", s): points[:, i] for i, s in enumerate(SMILE_SCOPES)},
        **{("term_point_iv", s): terms[:, i] for i, s in enumerate(TERM_SCOPES)},
        ("width_iv", "chain"): np.full(n, 0.01),
        ("rejected_share", "chain"): np.full(n, 0.1),
    }
    past = {(None, *k): Series(DAY * np.arange(n - 1), v[:-1]) for k, v in columns.items()}
    now = {(None, *k): float(v[-1]) for k, v in columns.items()}
    soon = replace(RULES, horizon_nights=10)  # limits are not asked for, and cost by their horizon
    return replace(ON_CHAIN, history=History(series=past), tonight=now, drift=soon)


def steps(**how):
    return values("smile_step", smile_night(**how))


@pytest.mark.moves("smile_step")
def test_a_lifted_wing_is_a_step_of_the_wing_and_of_no_expiry_and_a_move_of_all_is_none():
    plain, put, call = (
        steps(step=step) for step in ((0,) * 5, (0.01, 0.007, 0, 0, 0), (0, 0, 0, 0.007, 0.01))
    )
    for wing, found in (("wing:put", put), ("wing:call", call)):
        assert found[wing] > 4.0 > 2.5 > abs(plain[wing])
        # Less level and slope, either wing is mostly curvature: the other's chart hears it too.
        elsewhere = {scope for scope in plain if not scope.startswith("wing:")}
        assert {s: found[s] for s in elsewhere} == {s: plain[s] for s in elsewhere}
    level = steps(level=0.02)
    assert max(abs(level[s] - plain[s]) for s in plain) < 1.5


@pytest.mark.parametrize("days", [7, 14, 28, 56, 84, 175])
def test_the_expiry_that_was_lifted_is_the_one_that_is_named(days):
    found = steps(lifted=days)
    # A bend is about an expiry, and likelier than the steps of the tenors that it bends.
    named = {s: abs(step) for s, step in found.items() if not s.startswith("wing:")}
    lifted = f"{AS_OF + timedelta(days=days):%Y-%m-%d}"
    assert max(named, key=named.get).split(":")[1] == lifted
    wings = ("wing:put", "wing:call")
    assert {s: found[s] for s in wings} == {s: steps()[s] for s in wings}


def test_an_expiry_has_the_steps_of_the_tenors_that_it_is_nearest_to():
    # Of 45 and of 60 days the nearest is the expiry in 56; none is nearest to those in 21 and 266.
    expected = {f"expiry:{AS_OF + timedelta(days=d):%Y-%m-%d}" for d in (7, 14, 28, 56, 84, 175)}
    assert {s for s in steps() if s.startswith("expiry:")} == expected
