"""Charts: their algebra against slow twins, their run lengths against published ones."""

from itertools import pairwise

import numpy as np
import pytest

from monitor.errors import DomainError
from monitor.numerics.charts import (
    ALLOWANCE,
    Limits,
    cusum,
    fit_autoregression,
    predictive_limits,
)

HORIZON = 91
DESK = float(-np.expm1(-91.0 / 365.0))  # 0.2207: one page a year, over 91 nights


def autoregression(rng, n, T, *, phi, df=None):
    """Return `n` stationary paths of `T` values with innovations of variance one."""
    e = innovations(rng, (n, T + 100), df)
    x = np.zeros_like(e)
    for t in range(1, e.shape[1]):
        x[:, t] = phi * x[:, t - 1] + e[:, t]
    return x[:, 100:]


def innovations(rng, shape, df):
    if df is None:
        return rng.standard_normal(shape)
    return rng.standard_t(df, shape) * np.sqrt((df - 2.0) / df)


def slow_cusum(u, two_sided):
    up = down = 0.0
    out = []
    for value in u:
        up = max(0.0, up + value - ALLOWANCE)
        down = max(0.0, down - value - ALLOWANCE) if two_sided else 0.0
        out.append(up if up >= down else -down)
    return out


@pytest.mark.parametrize("two_sided", [True, False])
def test_cumulative_sums_of_many_paths_equal_a_loop_over_each(two_sided):
    u = np.random.default_rng(1).standard_normal((7, 60))
    expected = [slow_cusum(path, two_sided) for path in u]
    np.testing.assert_array_equal(cusum(u, two_sided=two_sided), expected)


def test_a_one_sided_sum_stays_at_zero_while_values_fall():
    assert not cusum(-np.ones(50), two_sided=False).any()


# Two-sided run lengths of independent standard normals, allowance 1/2: 2,000 simulated paths give
# 163 and 453 nights without a change, 8.2 and 10.2 after a shift of one deviation; Siegmund's
# approximation gives 168 and 465. A run length's deviation is about its mean, so the average of
# 1,500 paths is good to 1/sqrt(1500) = 2.6 % and the published one to 2.2 %: 4 of these together
# are 14 %. After a shift the deviation is about half the mean.
@pytest.mark.parametrize(
    ("limit", "shift", "published", "nights", "tolerance"),
    [
        (4.0, 0.0, 163.0, 1_800, 0.14),
        (5.0, 0.0, 453.0, 4_600, 0.14),
        (4.0, 1.0, 8.2, 120, 0.07),
        (5.0, 1.0, 10.2, 140, 0.07),
    ],
)
def test_run_lengths_of_the_cumulative_sum_are_the_published_ones(
    limit, shift, published, nights, tolerance
):
    u = np.random.default_rng(2).standard_normal((1_500, nights)) + shift
    beyond = np.abs(cusum(u, two_sided=True)) > limit
    assert beyond.any(axis=1).mean() > 0.999  # longer runs would be cut short
    run_length = np.mean(np.argmax(beyond, axis=1) + 1)
    assert run_length == pytest.approx(published, rel=tolerance)


def test_an_autoregression_is_the_least_squares_line_from_each_value_to_the_next():
    x = 5.0 + autoregression(np.random.default_rng(3), 1, 80, phi=0.6)[0]
    fit = fit_autoregression(x)
    slope, intercept = np.polyfit(x[:-1], x[1:], 1)
    assert (fit.phi, fit.intercept) == pytest.approx((slope, intercept), rel=1e-9)
    residual = x[1:] - intercept - slope * x[:-1]
    assert fit.sigma == pytest.approx(np.sqrt(np.sum(residual**2) / (79 - 2)), rel=1e-12)
    np.testing.assert_allclose(fit.innovations(x), residual / fit.sigma, atol=1e-9)


def test_a_fit_far_from_zero_loses_no_digits():
    x = autoregression(np.random.default_rng(3), 1, 80, phi=0.6)[0]
    near, far = fit_autoregression(x), fit_autoregression(x + 1e6)
    # Adding 1e6 rounds the values themselves to 1e-10.
    assert far.phi == pytest.approx(near.phi, rel=1e-8)
    assert far.sigma == pytest.approx(near.sigma, rel=1e-8)


@pytest.mark.parametrize(
    "reference",
    [
        pytest.param(np.arange(4.0), id="four values"),
        pytest.param(np.full(30, 2.5), id="all equal"),
        pytest.param(np.append(np.full(30, 2.5), 3.0), id="all equal but the last"),
        pytest.param(np.arange(30.0), id="a straight line"),
        pytest.param(0.5 ** np.arange(30.0), id="an exact recursion"),
    ],
)
def test_a_reference_without_innovations_is_refused(reference):
    with pytest.raises(DomainError, match="an autoregression needs"):
        fit_autoregression(reference)
    with pytest.raises(DomainError, match="an autoregression needs"):
        predictive_limits(
            reference,
            false_alarm_probability=0.1,
            horizon=5,
            two_sided=True,
            rng=np.random.default_rng(0),
            paths=50,
        )


def test_a_score_is_the_nearer_of_two_charts_to_its_limit_with_its_sign():
    limits = Limits(cusum=4.0, shewhart=5.0)
    u = np.array([0.0, 1.5, -10.0, 0.0])
    # Sums: 0, 1, then -9.5 down and 0 up, then -9 and 0; the third night's jump is 2 of its limits.
    np.testing.assert_allclose(limits.score(u, two_sided=True), [0.0, 0.3, -2.375, -2.25])
    np.testing.assert_allclose(limits.score(u, two_sided=False), [0.0, 0.3, 0.0, 0.0])


def limits_of(reference, seed=0, *, p=DESK, horizon=HORIZON, two_sided=True, paths=2_000):
    return predictive_limits(
        reference,
        false_alarm_probability=p,
        horizon=horizon,
        two_sided=two_sided,
        rng=np.random.default_rng(seed),
        paths=paths,
    )


@pytest.fixture(scope="module")
def reference():
    return autoregression(np.random.default_rng(4), 1, 60, phi=0.5)[0]


def test_limits_do_not_depend_on_the_unit_or_the_origin_of_the_values(reference):
    one, other = limits_of(reference), limits_of(3.0 + 0.01 * reference)
    # The same draws, scaled: only rounding differs, magnified by the shift.
    assert other.cusum == pytest.approx(one.cusum, rel=1e-9)
    assert other.shewhart == pytest.approx(one.shewhart, rel=1e-9)


def test_limits_follow_from_reference_and_seed_alone(reference):
    assert limits_of(reference) == limits_of(reference.copy())
    assert limits_of(reference) != limits_of(reference, seed=1)


def test_limits_are_wider_for_rarer_alarms_and_longer_horizons(reference):
    by_rarity = [limits_of(reference, p=p) for p in (0.4, 0.2, 0.05, 0.01)]
    by_horizon = [limits_of(reference, horizon=n) for n in (10, 30, 91)]
    for narrow, wide in [*pairwise(by_rarity), *pairwise(by_horizon)]:
        assert wide.cusum > narrow.cusum
        assert wide.shewhart > narrow.shewhart


def test_a_longer_reference_of_the_same_kind_has_closer_limits():
    x = autoregression(np.random.default_rng(5), 9, 180, phi=0.5)
    short = np.median([limits_of(path[:60], paths=500).cusum for path in x])
    long = np.median([limits_of(path, paths=500).cusum for path in x])
    assert long < short


def test_limits_stay_finite_where_most_values_are_equal():
    # A stuck feed: thirty equal values, five that move, and one night without history to speak of.
    stuck = np.append(np.zeros(30), [1.0, -1.0, 0.5, 2.0, -1.0])
    for values in (stuck, np.array([1.0, 2.0, 1.0, 3.0, 0.0])):
        limits = limits_of(values)
        assert np.isfinite([limits.cusum, limits.shewhart]).all()
        assert min(limits.cusum, limits.shewhart) >= 1.0


def chance_of_an_alarm(T, *, phi, df, references, rng, two_sided=True, futures=200, paths=1_500):
    """Return the chance of an alarm within the horizon for each of many references, no change."""
    out = []
    for i, reference in enumerate(autoregression(rng, references, T, phi=phi, df=df)):
        limits = limits_of(reference, i, two_sided=two_sided, paths=paths)
        x = np.empty((futures, HORIZON + 1))
        x[:, 0] = reference[-1]
        e = innovations(rng, (futures, HORIZON), df)
        for t in range(HORIZON):
            x[:, t + 1] = phi * x[:, t] + e[:, t]
        fit = fit_autoregression(reference)
        u = (x[:, 1:] - fit.intercept - fit.phi * x[:, :-1]) / fit.sigma
        sums = np.max(np.abs(cusum(u, two_sided=two_sided)), axis=1)
        single = np.max(np.abs(u) if two_sided else u, axis=1)
        out.append(np.mean((sums > limits.cusum) | (single > limits.shewhart)))
    return np.array(out)


@pytest.mark.parametrize(("phi", "df"), [(0.0, None), (0.8, None), (0.8, 5.0)])
def test_the_chance_of_a_false_alarm_is_about_as_stated_at_sixty_nights(phi, df):
    rng = np.random.default_rng(6)
    chance = chance_of_an_alarm(60, phi=phi, df=df, references=60, rng=rng, paths=500, futures=60)
    # A quarter of the nominal chance is what the method owes. The rest is the sample's: over many
    # references the chance has a deviation of 0.21 to 0.28 (500 each), here over the root of 60;
    # the sample's own would be small just where its references happen to be easy ones.
    slack = 0.25 * DESK + 3.0 * 0.28 / np.sqrt(60)
    assert np.mean(chance) == pytest.approx(DESK, abs=slack)


@pytest.mark.slow
@pytest.mark.parametrize("df", [None, 5.0])
@pytest.mark.parametrize("T", [60, 120, 180])
@pytest.mark.parametrize("phi", [0.0, 0.5, 0.8])
def test_the_chance_of_a_false_alarm_is_within_a_quarter_of_the_stated_one(phi, T, df):
    chance = chance_of_an_alarm(T, phi=phi, df=df, references=500, rng=np.random.default_rng(7))
    # Two standard errors, about 0.02, for 500 references.
    slack = 0.25 * DESK + 2.0 * np.std(chance) / np.sqrt(len(chance))
    assert np.mean(chance) == pytest.approx(DESK, abs=slack)
