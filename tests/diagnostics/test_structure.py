"""Order in what a fit left over: right size under noise, and the place where there is some."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.calibration.solve import calibrate
from monitor.diagnostics.base import METRICS, NO_HISTORY, Evidence, History, MetricValue
from monitor.diagnostics.structure import cube_root_deviate, regions
from monitor.models import MODELS
from tests.calibration.chains import grid_of_tenors, quotes_by, quotes_from
from tests.diagnostics.evidence import reasons, remembered, saying, values
from tests.market.chains import chain

ADHOC, TRUE = MODELS["adhoc"], np.array([0.55, -0.05, 0.12, 0.1, -0.03, 0.04])
GRID = grid_of_tenors(np.array([2.0, 7.0, 30.0, 120.0]), n=17)
NOISE = 0.005
HALF_WIDTH = np.sqrt(3.0) * NOISE  # of which a uniform law has that deviation: nothing is learnt
CALM = quotes_by(ADHOC, TRUE, GRID, noise=HALF_WIDTH)
ASKED = ("mode_z", "region_z", "sign_runs", "spatial_autocorrelation")


def _vols(params):
    return quotes_by(ADHOC, params, GRID).iv


def fitted(quotes, model=ADHOC):
    # None of these metrics looks at the snapshot.
    return Evidence(None, quotes, NO_HISTORY, model=model, fit=calibrate(model, quotes))


def with_error(error, rng=None):
    noise = 0.0 if rng is None else NOISE * rng.standard_normal(GRID.n)
    return quotes_from(GRID, CALM.iv + noise + error, HALF_WIDTH)


@pytest.fixture(scope="module")
def under_noise():
    rng = np.random.default_rng(11)
    found = {name: [] for name in ASKED}
    for _ in range(500):
        evidence = fitted(with_error(0.0, rng))
        for name in ASKED:
            found[name] += [
                (o.scope, o.value)
                for o in METRICS[name].compute(evidence)
                if isinstance(o, MetricValue)
            ]
    return found


@pytest.mark.parametrize("name", ASKED)
def test_each_deviate_is_standard_normal_where_the_model_is_right(name, under_noise):
    scopes = sorted({scope for scope, _ in under_noise[name]})
    assert len(scopes) >= {"mode_z": 1, "region_z": 7}.get(name, 1)
    for scope in scopes:
        z = np.array([v for s, v in under_noise[name] if s == scope])
        assert len(z) == 500
        # 500 trials: deviations of 0.045 and 0.032; three and a half of each.
        assert abs(z.mean()) < 0.16, scope
        assert abs(z.std() - 1.0) < 0.12, scope
        two_sided = np.mean(np.abs(z) > 1.96)
        assert 0.02 < two_sided < 0.085, scope  # 0.05 and three and a half deviations of 0.0097


def test_a_mode_that_the_model_has_leaves_nothing_to_test():
    evidence = fitted(with_error(0.0, np.random.default_rng(1)))
    # The polynomial has level, slope in k / sqrt(tau) and tenor; the mode's slope is in deviations.
    assert "mode:level" not in values("mode_z", evidence)
    assert "absorbed" in reasons("mode_z", evidence)
    flat = fitted(with_error(0.0, np.random.default_rng(1)), MODELS["black"])
    found = values("mode_share", flat)
    # Black has a level an expiry and no smile: the missing curvature is nearly all that is left.
    assert {"mode:slope", "mode:curvature"} <= set(found)
    assert found["mode:curvature"] + found["mode:slope"] > 0.9
    assert sum(found.values()) <= 1.0 + 1e-9


def test_an_error_in_one_region_is_found_there():
    where = dict(regions(CALM))["region:month/put"]
    rng = np.random.default_rng(3)
    evidence = fitted(with_error(0.02 * where, rng))
    z = values("region_z", evidence)
    assert min(z, key=z.get) == "region:month/put"  # the model is below the lifted market
    assert z["region:month/put"] < -6.0


@pytest.mark.moves("mode_z mode_share region_z")
def test_what_the_model_follows_moves_nothing_and_what_it_lacks_moves_what_is_called_so():
    noise = NOISE * np.random.default_rng(5).standard_normal(GRID.n)
    calm = fitted(quotes_from(GRID, CALM.iv + noise, HALF_WIDTH))
    # All six coefficients moved: the polynomial is linear in them.
    other = _vols(TRUE + np.array([0.1, 0.02, 0.03, -0.05, 0.02, 0.01])) + noise
    followed = fitted(quotes_from(GRID, other, HALF_WIDTH))
    names = ("mode_z", "mode_share", "region_z", "sign_runs", "spatial_autocorrelation")
    # Modes and neighbours are placed by the fit's own vols, which differ by a tenth.
    assert values("sign_runs", followed) == pytest.approx(values("sign_runs", calm), rel=1e-6)
    for name in names:
        before, after = values(name, calm), values(name, followed)
        common = before.keys() & after.keys()
        assert common
        assert max(abs(after[scope] - before[scope]) for scope in common) < 1.0
    # A fourth power along the smile, and a term of the logarithm of tenor.
    x = GRID.k / np.sqrt(GRID.w_ref)[GRID.expiry_index]
    bent = fitted(with_error(0.02 * np.log(GRID.tau_of_point) + 0.002 * x**4 + noise))
    assert abs(values("mode_z", bent)["mode:term"]) > abs(values("mode_z", calm)["mode:term"]) + 5
    assert values("mode_share", bent)["mode:term"] > values("mode_share", calm)["mode:term"] + 0.2
    worst = max(map(abs, values("region_z", bent).values()))
    assert worst > max(map(abs, values("region_z", calm).values())) + 1.5


@pytest.mark.moves("sign_runs spatial_autocorrelation")
def test_a_wave_along_strikes_is_found_by_runs_and_neighbours_and_noise_by_neither():
    rng = np.random.default_rng(4)
    x = GRID.k / np.sqrt(GRID.w_ref)[GRID.expiry_index]
    waves, noise = fitted(with_error(0.015 * np.sin(2.5 * x), rng)), fitted(with_error(0.0, rng))
    assert values("spatial_autocorrelation", waves)["chain"] > 4.0
    assert values("sign_runs", waves)["chain"] < -2.5
    assert abs(values("spatial_autocorrelation", noise)["chain"]) < 2.6
    assert abs(values("sign_runs", noise)["chain"]) < 2.6


def test_regions_part_the_chain():
    inside = np.sum([here for _, here in regions(CALM)], axis=0)
    np.testing.assert_array_equal(inside, 1)


def test_a_fit_of_every_quote_leaves_nothing_to_test():
    market = saying(chain(n_strikes=9), 0.0)
    full = replace(market.fit, jacobian=np.eye(market.quotes.n), at_bound=np.zeros(market.quotes.n))
    evidence = replace(market, fit=full)
    assert reasons("mode_z", evidence) == {"no_residual"}
    assert reasons("sign_runs", evidence) == {"no_residual"}
    assert reasons("spatial_autocorrelation", evidence) == {"no_residual"}
    assert reasons("region_z", evidence) == {"absorbed"}


@pytest.mark.moves("structure_stability")
def test_structure_is_stable_under_noise_and_not_where_a_constant_moved():
    rng = np.random.default_rng(8)
    free = np.array([p.role == "state" for p in ADHOC.parameters])

    def night_after(then, now):
        last, quotes = (
            quotes_from(GRID, _vols(params) + NOISE * rng.standard_normal(GRID.n), HALF_WIDTH)
            for params in (then, now)
        )
        before = calibrate(ADHOC, last)
        again = calibrate(ADHOC, quotes, start=before.params, free=free)
        history = History(fits={ADHOC.name: remembered(before, last)})
        fit = calibrate(ADHOC, quotes)
        evidence = Evidence(None, quotes, history, model=ADHOC, fit=fit, refreshed=again)
        return values("structure_stability", evidence)["chain"]

    # The state may move: that is what it is for.
    up = TRUE + np.array([0.1, 0.0, 0.0, 0.0, 0.0, 0.0])
    quiet = np.array([night_after(TRUE, up) for _ in range(400)])
    assert abs(np.mean(quiet)) < 0.2 and abs(np.std(quiet) - 1.0) < 0.15
    assert 0.02 < np.mean(quiet > 1.645) < 0.09
    bent = TRUE + np.array([0.0, 0.0, 0.01, 0.0, 0.0, 0.0])
    assert min(night_after(TRUE, bent) for _ in range(10)) > 3.0


def test_the_cube_root_is_close_to_the_tail_of_chi_squared():
    # 1 % points of chi squared with 1, 5 and 30 degrees: 6.635, 15.086, 50.892 (tables).
    for statistic, degrees in ((6.635, 1), (15.086, 5), (50.892, 30)):
        assert cube_root_deviate(statistic, degrees) == pytest.approx(2.326, abs=0.04)
