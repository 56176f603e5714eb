from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares

from monitor.numerics.least_squares import Ending, Tolerances, solve_bounded

FREE = np.full(2, -np.inf), np.full(2, np.inf)


def batch_of(one):
    """Return a batch's residuals from those of one problem, r and J of x."""

    def residuals(x, which):
        pairs = [one(row, problem) for row, problem in zip(x, which, strict=True)]
        return np.stack([r for r, _ in pairs]), np.stack([J for _, J in pairs])

    return residuals


def rosenbrock(x, which=0):
    r = np.array([10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]])
    return r, np.array([[-20.0 * x[0], 10.0], [-1.0, 0.0]])


T = np.linspace(0.0, 4.0, 30)
DATA = 2.0 * np.exp(-0.7 * T) + 0.01 * np.sin(9.0 * T)


def decay(x, which=0):
    e = np.exp(-x[1] * T)
    return x[0] * e - DATA, np.stack([e, -x[0] * T * e], axis=1)


def test_rosenbrock_valley_is_followed_to_its_end():
    end = solve_bounded(batch_of(rosenbrock), np.array([[-1.2, 1.0]]), *FREE)
    assert end.ending[0] == Ending.CONVERGED
    np.testing.assert_allclose(end.x[0], [1.0, 1.0], atol=1e-8)
    assert end.evaluations[0] < 40


def test_solution_is_that_of_an_independent_solver():
    end = solve_bounded(batch_of(decay), np.array([[0.5, 0.1]]), *FREE)
    twin = least_squares(lambda x: decay(x)[0], [0.5, 0.1], xtol=1e-15, ftol=1e-15, gtol=1e-15)
    np.testing.assert_allclose(end.x[0], twin.x, rtol=1e-7)
    assert end.cost[0] == pytest.approx(twin.cost, rel=1e-12)


def test_large_residuals_do_not_slow_the_last_digits():
    # A wave of the wrong shape: the optimum leaves residuals as large as the data, and steps by
    # J'J alone, each of which gains a fixed share of what is left, take 30 evaluations.
    t = np.linspace(0.0, 6.0, 40)
    data = np.sign(np.sin(1.3 * t)) * (1.0 + t)

    def wave(x, which=0):
        r = x[0] * np.sin(x[1] * t) - data
        return r, np.stack([np.sin(x[1] * t), x[0] * t * np.cos(x[1] * t)], axis=1)

    end = solve_bounded(batch_of(wave), np.array([[1.0, 1.0]]), *FREE)
    twin = least_squares(lambda x: wave(x)[0], end.x[0], xtol=1e-15, ftol=1e-15, gtol=1e-15)
    assert end.ending[0] == Ending.CONVERGED
    np.testing.assert_allclose(end.x[0], twin.x, rtol=1e-6)
    assert end.evaluations[0] <= 12


def test_at_a_bound_the_other_parameters_are_those_of_an_independent_solver():
    lower, upper = np.array([0.0, 0.9]), np.array([1.8, 3.0])
    end = solve_bounded(batch_of(decay), np.array([[1.0, 2.0]]), lower, upper)
    twin = least_squares(
        lambda x: decay(x)[0], [1.0, 2.0], bounds=(lower, upper), xtol=1e-15, ftol=1e-15
    )
    assert end.ending[0] == Ending.CONVERGED
    assert end.x[0, 1] == 0.9
    np.testing.assert_allclose(end.x[0], twin.x, rtol=1e-5)


def test_no_evaluation_lies_outside_the_bounds():
    lower, upper = np.array([-2.0, -1.0]), np.array([0.8, 2.0])
    seen = []

    def watched(x, which):
        seen.append(x.copy())
        return batch_of(rosenbrock)(x, which)

    end = solve_bounded(watched, np.array([[-9.0, 9.0]]), lower, upper)
    assert end.ending[0] == Ending.CONVERGED
    assert np.all(np.concatenate(seen) >= lower) and np.all(np.concatenate(seen) <= upper)
    np.testing.assert_allclose(end.x[0], [0.8, 0.64], atol=1e-7)  # x2 = x1^2 on the bound


def test_equal_bounds_hold_a_parameter():
    lower, upper = np.array([1.3, -9.0]), np.array([1.3, 9.0])
    end = solve_bounded(batch_of(rosenbrock), np.array([[1.3, 0.0]]), lower, upper)
    np.testing.assert_allclose(end.x[0], [1.3, 1.69], rtol=1e-9)


def test_a_problem_ends_the_same_alone_and_in_company():
    starts = np.array([[-1.2, 1.0], [2.0, 2.0], [0.3, -0.7], [1.0, 1.0]])
    together = solve_bounded(batch_of(rosenbrock), starts, *FREE)
    for b, start in enumerate(starts):
        alone = solve_bounded(batch_of(rosenbrock), start[None], *FREE)
        np.testing.assert_array_equal(alone.x[0], together.x[b])
        assert alone.evaluations[0] == together.evaluations[b]


def test_units_of_a_parameter_do_not_change_the_path():
    unit = np.array([1e-6, 1e4])

    def scaled(x, which):
        r, J = rosenbrock(x / unit)
        return r, J / unit

    plain = solve_bounded(batch_of(rosenbrock), np.array([[-1.2, 1.0]]), *FREE)
    other = solve_bounded(batch_of(scaled), np.array([[-1.2, 1.0]]) * unit, *FREE)
    np.testing.assert_allclose(other.x[0] / unit, plain.x[0], rtol=1e-7)
    assert abs(int(other.evaluations[0]) - int(plain.evaluations[0])) <= 2


def test_a_start_that_is_not_finite_is_said_to_be_so():
    def nowhere(x, which):
        return np.full((len(x), 3), np.nan), np.zeros((len(x), 3, 2))

    end = solve_bounded(nowhere, np.zeros((2, 2)), *FREE)
    assert end.ending.tolist() == [Ending.NOT_FINITE] * 2
    assert np.all(np.isinf(end.cost))


def test_a_wall_of_nan_before_the_optimum_is_a_stall_and_no_convergence():
    def walled(x, which=0):
        r = np.array([x[0] - 3.0, x[1]])
        return (r if x[0] < 1.0 else r * np.nan), np.eye(2)

    end = solve_bounded(batch_of(walled), np.array([[0.0, 1.0]]), *FREE)
    assert end.ending[0] == Ending.STALLED
    assert end.x[0, 0] == pytest.approx(1.0, abs=1e-3)


def test_too_few_evaluations_are_said_to_be_so():
    end = solve_bounded(
        batch_of(rosenbrock), np.array([[-1.2, 1.0]]), *FREE, Tolerances(max_evaluations=3)
    )
    assert end.ending[0] == Ending.MAX_EVALUATIONS
    assert end.evaluations[0] <= 4


def test_a_parameter_without_influence_stays_and_does_not_disturb():
    def partly(x, which=0):
        r, J = decay(x)
        return r, np.concatenate([J, np.zeros((len(T), 1))], axis=1)

    start = np.array([[0.5, 0.1, 7.0]])
    end = solve_bounded(batch_of(partly), start, np.full(3, -np.inf), np.full(3, np.inf))
    assert end.ending[0] == Ending.CONVERGED
    assert end.x[0, 2] == 7.0


def test_no_problem_at_all_has_no_solution():
    end = solve_bounded(batch_of(rosenbrock), np.empty((0, 2)), *FREE)
    assert end.x.shape == (0, 2)
