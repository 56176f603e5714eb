"""Last night on tonight: what moved, and by how many of its errors."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from monitor.calibration.solve import calibrate
from monitor.diagnostics.base import History, PastFit
from monitor.diagnostics.lastnight import stderr_of
from monitor.diagnostics.places import WINGS, wing_index
from monitor.models import MODELS
from tests.diagnostics.evidence import (
    fit_saying,
    market,
    outcomes,
    quotes_of,
    reasons,
    remembered,
    saying,
    value,
    values,
)
from tests.market.chains import AS_OF, EXPIRIES, chain

TONIGHT = chain(n_strikes=9)
QUOTES = quotes_of(TONIGHT)
MOVE = 0.02 * np.cos(np.arange(QUOTES.n))


def laid(frozen=None, refreshed=None):
    """Return tonight's evidence with last night's vols, as differences from the market."""
    evidence = saying(TONIGHT, 0.0)
    iv = evidence.quotes.iv
    return replace(
        evidence,
        frozen_iv=None if frozen is None else iv + frozen,
        refreshed=None if refreshed is None else fit_saying(evidence.quotes, iv + refreshed),
    )


@pytest.mark.parametrize("which", ["frozen", "refreshed"])
def test_last_nights_errors_are_means_and_roots_over_places(which):
    evidence = laid(**{which: MOVE})
    for i, wing in enumerate(WINGS):
        move = MOVE[wing_index(QUOTES) == i]
        found = value(f"{which}_bias_iv", evidence, f"wing:{wing}")
        assert found == pytest.approx(move.mean(), rel=1e-9)
        found = value(f"{which}_rmse_iv", evidence, f"wing:{wing}")
        assert found == pytest.approx(np.sqrt((move**2).mean()), rel=1e-9)
    assert value(f"{which}_rmse_iv", evidence) == pytest.approx(np.sqrt((MOVE**2).mean()))


def test_the_markets_move_is_not_the_models_error():
    evidence = laid(frozen=0.30, refreshed=0.01)
    assert value("frozen_rmse_iv", evidence) == pytest.approx(0.30)
    assert value("refreshed_rmse_iv", evidence) == pytest.approx(0.01)


@pytest.mark.moves("frozen_bias_iv frozen_rmse_iv refreshed_bias_iv refreshed_rmse_iv")
def test_each_of_last_nights_errors_answers_to_its_own_vols_and_not_to_the_others():
    plain = laid(frozen=MOVE, refreshed=0.5 * MOVE + 0.01)
    wide = replace(plain, quotes=replace(plain.quotes, iv_ask=plain.quotes.iv_ask + 0.05))
    moved = laid(frozen=2.0 * MOVE, refreshed=0.5 * MOVE + 0.01)
    wrong = laid(frozen=MOVE, refreshed=1.0 * MOVE + 0.02)
    for summary in ("bias_iv", "rmse_iv"):
        for which, doubled, other in (("frozen", moved, wrong), ("refreshed", wrong, moved)):
            before = values(f"{which}_{summary}", plain)
            twice = {scope: 2.0 * v for scope, v in before.items()}
            assert values(f"{which}_{summary}", doubled) == pytest.approx(twice)
            assert values(f"{which}_{summary}", other) == before
            assert values(f"{which}_{summary}", wide) == before
    # What last night's model says of tonight unrefreshed is not the standardised error either.
    assert values("refreshed_rmse_z", moved) == values("refreshed_rmse_z", plain) != {}


def test_expiries_that_were_not_there_last_night_are_left_out():
    new = QUOTES.expiry_index == 0
    evidence = laid(frozen=np.where(new, np.nan, MOVE))
    expected = np.sqrt((MOVE[~new] ** 2).mean())
    assert value("frozen_rmse_iv", evidence) == pytest.approx(expected)
    nothing = laid(frozen=np.full(QUOTES.n, np.nan))
    assert not values("frozen_rmse_iv", nothing)
    assert reasons("frozen_rmse_iv", nothing) == {"no_model_value"}


@pytest.mark.parametrize(
    "name",
    [
        *("frozen_bias_iv", "frozen_rmse_iv", "refreshed_bias_iv", "refreshed_rmse_iv"),
        *("refreshed_rmse_z", "param_change"),
    ],
)
def test_a_first_night_has_no_last_one(name):
    assert not values(name, laid())
    assert reasons(name, laid()) == {"no_last_night"}


@pytest.mark.moves("refreshed_rmse_z")
def test_the_error_out_of_sample_counts_for_less_where_the_structure_was_not_known():
    model = MODELS["heston"]
    then, tonight = quotes_of(chain(n_strikes=9)), quotes_of(chain(n_strikes=9, width_iv=0.012))
    fit = calibrate(model, then)
    states = np.array([p.role == "state" for p in model.parameters])
    refreshed = calibrate(model, tonight, start=fit.params, free=states)
    past = remembered(fit, then)
    known = replace(past, stderr=np.full(5, np.nan))

    def error(past, refreshed=refreshed):
        history = History(fits={"heston": past})
        night = replace(market(chain(n_strikes=9, width_iv=0.012), history), model=model)
        return value("refreshed_rmse_z", replace(night, fit=fit, refreshed=refreshed))

    # Nothing but the quotes' noise and what the state takes of it; then the structure's own error.
    half = 3**0.5 * (refreshed.iv - tonight.iv) / tonight.noise
    assert error(known) == pytest.approx(np.sqrt(np.mean(half**2)), rel=0.1)
    assert error(past) < 0.95 * error(known)
    off = replace(refreshed, iv=refreshed.iv + 0.02)
    assert error(past, off) > 2.0 * error(past)


def heston(params, errors, past_params, past_errors):
    """Return the evidence on two nights of Heston's five numbers."""
    model = MODELS["heston"]
    names = tuple(p.name for p in model.parameters)
    covariance = np.diag(np.square(errors))
    fit = fit_saying(QUOTES, QUOTES.iv, model="heston", names=names, params=np.array(params))
    fit = replace(fit, covariance=covariance, jacobian=np.ones((QUOTES.n, 5)))
    past = PastFit("heston", 0, QUOTES.expiry_ms, QUOTES.tau, names, past_params, past_errors)
    history = History(fits={"heston": past})
    return replace(market(TONIGHT, history), model=model, fit=fit)


CHANGED = heston(
    [0.30, 2.0, 0.40, 1.0, -0.30],
    [0.01, 0.3, 0.02, 0.1, 0.03],
    [0.25, 1.5, 0.40, 1.1, -0.34],
    [0.02, 0.4, 0.02, 0.0, 0.04],
)


def test_a_change_is_counted_in_the_errors_of_both_nights():
    # v0: 0.05 / hypot(0.01, 0.02); kappa: 0.5 / 0.5; theta_v: none; rho: 0.04 / 0.05. xi had no
    # error last night (it was held), and a change of it cannot be judged.
    expected = {"v0": 0.05 / np.hypot(0.01, 0.02), "kappa": 1.0, "theta_v": 0.0, "rho": 0.8}
    found = values("param_change", CHANGED)
    assert found == pytest.approx({f"param:{name}": z for name, z in expected.items()})
    assert reasons("param_change", CHANGED) == {"unidentified"}
    detail = next(o.detail for o in outcomes("param_change", CHANGED) if hasattr(o, "reason"))
    assert detail.endswith(": xi")


def test_a_jump_of_structure_does_not_count_the_states():
    # kappa 1.0, theta_v 0, rho 0.8; v0 is a state and free to move.
    assert value("structure_jump", CHANGED) == pytest.approx(np.sqrt((1.0 + 0.64) / 3.0))


def test_parameters_come_with_their_errors_where_they_have_any():
    evidence = heston([0.3, 2, 0.4, 1, -0.3], [0.01, np.nan, 0.02, 0.1, 0.03], *[np.ones(5)] * 2)
    found = {m.scope: (m.value, m.stderr) for m in outcomes("param", evidence)}
    assert found["param:v0"] == (0.3, pytest.approx(0.01))
    assert found["param:kappa"] == (2.0, None)


@pytest.mark.moves("param param_change structure_jump")
@pytest.mark.parametrize("name", ["param", "param_change", "structure_jump"])
def test_a_constant_that_moves_by_its_errors_is_seen_by_them_and_a_state_is_no_constant(name):
    at, errors = np.array([0.30, 2.0, 0.40, 1.0, -0.30]), np.array([0.01, 0.3, 0.02, 0.1, 0.03])

    def found(v0=0.0, xi=0.0, error=1.0):
        moved = at + np.array([v0, 0.0, 0.0, xi, 0.0])
        return values(name, heston(moved, error * errors, at, error * errors))

    still, state, constant = found(), found(v0=0.05), found(xi=0.2)
    if name == "structure_jump":
        assert still == state == {"chain": 0.0}
        # Two errors of one night, root two of both, on one of four constants.
        assert constant["chain"] == pytest.approx(2.0 / np.sqrt(2.0) / 2.0)
        assert found(xi=0.2, error=2.0)["chain"] == pytest.approx(0.5 * constant["chain"])
        return
    for scope in still:
        assert (state[scope] != still[scope]) == (scope == "param:v0")
        assert (constant[scope] != still[scope]) == (scope == "param:xi")
    if name == "param":
        assert constant["param:xi"] - still["param:xi"] == pytest.approx(0.2)
        assert found(error=2.0) == still
    else:
        assert constant["param:xi"] == pytest.approx(2.0 / np.sqrt(2.0))
        assert found(xi=0.2, error=2.0)["param:xi"] == pytest.approx(1.0 / np.sqrt(2.0))


def test_a_model_without_structure_has_no_jump_of_it_and_says_so():
    assert reasons("structure_jump", saying(TONIGHT, 0.0)) == {"no_structure"}


def svi_nights(change=0.0):
    """Return SVI's evidence on a smile that did not change in vol but for `change`."""

    def smile(k, tau):
        return np.sqrt(0.25 + 0.05 * (-0.3 * k + np.sqrt(k * k + 0.04)))

    expiries = EXPIRIES[:1]  # six days to expiry become five
    before = chain(smile, n_strikes=15, expiries=expiries, as_of=AS_OF - timedelta(days=1))
    tonight = chain(
        lambda k, tau: smile(k, tau) + change, n_strikes=15, expiries=expiries, as_of=AS_OF
    )
    then, now = quotes_of(before), quotes_of(tonight)
    past = remembered(calibrate(MODELS["svi"], then), then)
    fit = calibrate(MODELS["svi"], now)
    history = History(fits={"svi": past})
    return replace(market(tonight, history), model=MODELS["svi"], fit=fit), past


def test_a_smile_that_only_came_nearer_its_expiry_has_not_changed():
    evidence, past = svi_nights()
    # The fitted numbers did change: total variance shrank with the tenor.
    assert evidence.fit.params[0] < 0.9 * past.params[0]
    # Bid and ask vols are put back to 1e-12 and the fits end within 1e-6 of an error.
    assert max(map(abs, values("param_change", evidence).values())) < 1e-3
    assert value("structure_jump", evidence) < 1e-3


def test_last_nights_errors_shrink_with_the_tenor_as_its_parameters_do():
    evidence, past = svi_nights(change=0.01)
    ratio = evidence.quotes.tau[0] / past.tau[0]
    errors = stderr_of(evidence.fit.covariance)
    for i, (name, aged) in enumerate(
        zip("a b rho m s".split(), [ratio, ratio, 1, 1, 1], strict=True)
    ):
        change = evidence.fit.params[i] - aged * past.params[i]
        expected = change / np.hypot(errors[i], aged * past.stderr[i])
        scope = f"param:{evidence.fit.names[i]}"
        assert name == evidence.fit.names[i].split("@")[0]
        assert value("param_change", evidence, scope) == pytest.approx(expected, rel=1e-9)
