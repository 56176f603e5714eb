"""Charts: their algebra against slow twins, their run lengths against published ones."""

import numpy as np
import pytest

from monitor.errors import DomainError
from monitor.numerics.charts import (
    ALLOWANCE,
    LEAST,
    WINDOW,
    confirmed_jumps,
    cusum,
    evidence_of_change,
    fit_autoregression,
    latest_step,
    likeliest_steps,
    tamed,
)
from tests.numerics.streams import autoregression


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
    u = np.random.default_rng(1).standard_normal((60, 7))
    expected = np.array([slow_cusum(path, two_sided) for path in u.T]).T
    # By sums from the first night on: rounding of a few hundred deviations.
    np.testing.assert_allclose(cusum(u, two_sided=two_sided), expected, rtol=0.0, atol=1e-11)


def test_each_stream_has_a_side_of_its_own():
    u = np.random.default_rng(1).standard_normal((60, 2))
    both = cusum(u, two_sided=np.array([True, False]))
    np.testing.assert_array_equal(both[:, 0], cusum(u[:, 0], two_sided=True))
    np.testing.assert_array_equal(both[:, 1], cusum(u[:, 1], two_sided=False))


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
    u = np.random.default_rng(2).standard_normal((nights, 1_500)) + shift
    beyond = np.abs(cusum(u, two_sided=True)) > limit
    assert beyond.any(axis=0).mean() > 0.999  # longer runs would be cut short
    run_length = np.mean(np.argmax(beyond, axis=0) + 1)
    assert run_length == pytest.approx(published, rel=tolerance)


def test_an_autoregression_is_the_least_squares_line_from_each_value_to_the_next():
    x = 5.0 + autoregression(np.random.default_rng(3), 80, 1, phi=0.6)[:, 0]
    fit = fit_autoregression(x)
    slope, intercept = np.polyfit(x[:-1], x[1:], 1)
    assert (fit.phi, fit.intercept) == pytest.approx((slope, intercept), rel=1e-9)
    residual = x[1:] - intercept - slope * x[:-1]
    assert fit.sigma == pytest.approx(np.sqrt(np.sum(residual**2) / (79 - 2)), rel=1e-12)
    np.testing.assert_allclose(fit.innovations(x), residual / fit.sigma, atol=1e-9)


def test_a_fit_far_from_zero_loses_no_digits():
    x = autoregression(np.random.default_rng(3), 80, 1, phi=0.6)[:, 0]
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


def test_a_night_counts_in_full_up_to_two_and_never_more_than_four():
    u = np.array([-1.0, 2.0, 3.0, -3.0, 1e9])
    expected = [-1.0, 2.0, 2.0 + np.log(2.0), -2.0 - np.log(2.0), 4.0]
    np.testing.assert_allclose(tamed(u), expected)


def slow_step(u, phi, two_sided, weight):
    """Return the largest least-squares step of the last nights, onset by onset, by `lstsq`."""
    best, lasted = 0.0, 0
    for k in range(LEAST, min(WINDOW, len(u)) + 1):
        signature = [1.0]
        for at in range(len(u) - k + 1, len(u)):
            signature.append(1.0 - phi[at] + (1.0 - weight) * signature[-1])
        signature = np.array(signature)
        size = np.linalg.lstsq(signature[:, None], u[-k:], rcond=None)[0][0]
        z = size * np.sqrt(np.sum(signature**2))
        if (abs(z) if two_sided else z) > abs(best):
            best, lasted = z, k
    return best, lasted


@pytest.mark.parametrize("two_sided", [True, False])
def test_the_likeliest_step_is_that_of_least_squares_onset_by_onset(two_sided):
    rng = np.random.default_rng(5)
    u, phi = rng.standard_normal((30, 4)), rng.uniform(-0.3, 0.9, (30, 4))
    weight = np.array([1.0, 0.8, 0.55, 0.4])
    found = likeliest_steps(u, phi, two_sided=two_sided, weight=weight)
    for t in range(30):
        for j in range(4):
            z, nights = slow_step(u[: t + 1, j], phi[: t + 1, j], two_sided, weight[j])
            assert found.z[t, j] == pytest.approx(z, abs=1e-12)
            assert found.nights[t, j] == nights


@pytest.mark.parametrize("nights", [1, 2, 7, 8, 30])
def test_the_latest_step_is_the_last_of_all_nights_to_the_last_bit(nights):
    rng = np.random.default_rng(nights)
    u, phi = rng.standard_normal((nights, 5)), rng.uniform(-0.3, 0.9, (nights, 5))
    two_sided = np.array([True, False, True, False, False])
    weight = np.array([1.0, 0.8, 0.55, 0.4, 1.0])
    every = likeliest_steps(u, phi, two_sided=two_sided, weight=weight)
    last = latest_step(u, phi, two_sided=two_sided, weight=weight)
    np.testing.assert_array_equal(last.z, every.z[-1:])
    np.testing.assert_array_equal(last.nights, every.nights[-1:])


def test_a_step_is_recognised_with_its_onset_and_a_night_that_came_and_went_is_none():
    phi = np.full(20, 0.5)
    step, flash = np.zeros(20), np.zeros(20)
    step[15:] = [4.0, 2.0, 2.0, 2.0, 2.0]  # of 4: all of it in one forecast, half in each later
    flash[18:] = [4.0, -2.0]  # up one night and back the next
    found = likeliest_steps(step, phi, two_sided=True)
    assert (found.nights[-1], found.z[-1]) == (5, pytest.approx(4.0 * np.sqrt(2.0)))
    assert abs(likeliest_steps(flash, phi, two_sided=True).z[-1]) < 3.0


def test_a_jump_is_what_two_nights_agree_on_and_no_more_than_either_says():
    u = np.array([0.5, 6.0, 2.0, -4.0, 1.0])[:, None]
    ahead = np.array([0.0, 0.1, 5.0, -1.0, -3.0])[:, None]
    found = confirmed_jumps(u, ahead, two_sided=True)[:, 0]
    np.testing.assert_array_equal(found, [0.0, 0.1, 5.0, 0.0, -3.0])
    risen = confirmed_jumps(u, ahead, two_sided=False)[:, 0]
    np.testing.assert_array_equal(risen, [0.0, 0.1, 5.0, 0.0, 0.0])


def test_evidence_of_no_change_is_on_the_average_no_more_than_the_nights_that_passed():
    # Of heavy tails as well: what the bets need is a mean of zero and a variance of one.
    rng = np.random.default_rng(6)
    for u in (rng.standard_normal((91, 4_000)), rng.standard_t(5, (91, 4_000)) * np.sqrt(0.6)):
        wealth = evidence_of_change(u, two_sided=True)
        # The mean is a matter of few large fortunes: a tenth above would be more than chance.
        assert np.mean(wealth[-1]) < 91 * 1.1
        # Ville: to exceed 365 within 91 nights has a chance of a quarter at most.
        assert np.mean(wealth.max(axis=0) > 365.0) < 91 / 365


def test_evidence_of_a_change_grows_without_end_and_on_its_own_side():
    up = evidence_of_change(np.full(200, 1.0), two_sided=False)
    down = evidence_of_change(np.full(200, -1.0), two_sided=False)
    assert up[20] > 365.0 and up[-1] == 1e12
    assert down[-1] < 200.0
    assert evidence_of_change(np.full(200, -1.0), two_sided=True)[-1] == 1e12
