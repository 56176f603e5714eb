"""What a headline is made of: it moves for its own reason, and for no other."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.diagnostics.headlines import (
    LEVEL,
    PLACES,
    SMILE_HEADLINES,
    headlines_of,
    nights_of,
    scaled,
    structure,
)
from monitor.diagnostics.points import DELTAS, TERM_DAYS
from monitor.diagnostics.reference import Reference
from monitor.models import MODELS

PUT, CALL, SHORT, MIDDLE, EXPIRY = SMILE_HEADLINES
AT = Reference(np.arange(60), 60)
# Median width, and the share of quotes that are rejected.
BLUR = np.tile([0.01, 0.1], (80, 1))


def smiles(n=80, seed=1):
    """Return mean smiles that move together: a level, a skew, and a little of their own."""
    rng = np.random.default_rng(seed)
    x = np.linspace(-1.0, 1.0, len(DELTAS))
    level, skew = 0.02 * rng.standard_normal((2, n, 1))
    own = 0.001 * rng.standard_normal((n, len(DELTAS)))
    return 0.5 - 0.03 * x + level + skew * x + own


def terms(n=80, seed=2, days=TERM_DAYS):
    """Return term structures of a spot variance that wanders: straight lines in variance."""
    rng = np.random.default_rng(seed)
    tau = np.array(days) / 365.0
    decay = -np.expm1(-6.0 * tau) / (6.0 * tau)
    v0 = 0.25 * np.exp(0.2 * rng.standard_normal((n, 1)))
    return np.sqrt(0.3 + (v0 - 0.3) * decay) + 0.0005 * rng.standard_normal((n, len(days)))


def charted(headline, points, blur=BLUR):
    return headline.chart(np.hstack([points, blur]), AT)


@pytest.mark.parametrize(
    ("headline", "felt"),
    [(PUT, (1.0, 0.747, 0.0, 0.0, 0.0)), (CALL, (0.0, 0.0, 0.0, 0.747, 1.0))],
)
def test_a_lifted_wing_is_read_off_in_full_on_that_wing(headline, felt):
    plain = smiles()
    lifted = plain.copy()
    lifted[70:] += 0.02 * np.array(felt)
    before, after = charted(headline, plain).value, charted(headline, lifted).value
    # A combination of weights that the reference gives: what it reads of a step is exact.
    np.testing.assert_allclose((after - before)[70:], 0.02, atol=1e-12)
    np.testing.assert_array_equal((after - before)[:70], 0.0)


def test_usual_motion_however_large_hardly_stirs_a_wing():
    x = np.linspace(-1.0, 1.0, len(DELTAS))
    plain = smiles()
    moved = plain.copy()
    moved[70:] += 0.10 - 0.05 * x  # five deviations of level, two and a half of skew
    for headline in (PUT, CALL):
        stirred = charted(headline, moved).value - charted(headline, plain).value
        usual = np.std(charted(headline, plain).value[:60])
        # A tenth of a vol and more at every place comes out as less than half a vol point.
        assert np.abs(stirred[70:]).max() < 3.0 * usual < 0.006


def test_a_move_such_as_the_reference_never_saw_is_foretold_the_worse():
    plain = smiles()
    wild = plain.copy()
    wild[70:] += 0.4
    inflation, usual = charted(PUT, wild).inflation, charted(PUT, plain).inflation
    assert inflation[70] > 5.0
    assert np.all(inflation >= 1.0)
    # The nights after the move are foretold at a level that the reference never saw.
    far = 0.4**2 / np.sum(np.diff(plain[:60].mean(axis=1)) ** 2)
    np.testing.assert_allclose((inflation - usual)[71:], far, rtol=0.3)


def test_a_level_such_as_the_reference_saw_is_foretold_as_well_as_ever():
    plain = smiles()
    moved = plain.copy()
    moved[70:] = plain[70:].mean() + 0.5 * (plain[70:] - plain[70:].mean())
    inflation = charted(PUT, moved).inflation
    np.testing.assert_allclose(inflation[71:], 1.0, atol=0.3)


def test_wide_and_missing_quotes_make_a_night_harder_to_foretell():
    blur = BLUR.copy()
    blur[75, 0], blur[76, 1] = 0.03, 0.55
    points = smiles()
    ratio = charted(PUT, points, blur).inflation / charted(PUT, points).inflation
    assert ratio[75] == pytest.approx(9.0)  # three times the width
    assert ratio[76] == pytest.approx(16.0)  # twice the distance, four times as far off
    np.testing.assert_allclose(np.delete(ratio, [75, 76]), 1.0)


def test_a_jump_of_spot_variance_bends_no_term_structure():
    plain = terms()
    tau = np.array(TERM_DAYS) / 365.0
    decay = -np.expm1(-6.0 * tau) / (6.0 * tau)
    jumped = plain.copy()
    jumped[70:] = np.sqrt(plain[70:] ** 2 + 0.24 * decay)  # spot vol from 50 to 70
    for headline in (SHORT, MIDDLE):
        away = charted(headline, jumped).value - charted(headline, plain).value
        usual = np.std(charted(headline, plain).value[:60])
        assert np.abs(away[70:]).max() < 3.0 * usual, headline.name


def test_a_bent_term_structure_is_read_off_in_vol():
    hump = np.exp(-0.5 * (np.log(np.array(TERM_DAYS) / 60.0) / 0.8) ** 2)
    plain = terms()
    bent = plain.copy()
    bent[70:] += 0.01 * hump
    found = (charted(MIDDLE, bent).value - charted(MIDDLE, plain).value)[70:]
    # Turned at the reference's median level, which tonight's is a fifth away from.
    np.testing.assert_allclose(found, 0.01, rtol=0.25)


def test_each_tenor_answers_for_itself_and_does_not_page():
    plain = terms()
    for i, place in enumerate(PLACES):
        lifted = plain.copy()
        lifted[70:, i] += 0.01
        found = (charted(place, lifted).value - charted(place, plain).value)[70:]
        np.testing.assert_allclose(found, 0.01, rtol=0.3)


def test_an_expiry_out_of_line_is_charted_by_its_cube_root_and_what_blurs_it_excuses_it():
    gap = 0.003 + 0.001 * np.abs(np.random.default_rng(5).standard_normal((80, 1)))
    blur = BLUR.copy()
    blur[75], blur[76] = [0.02, 0.1], [0.01, 0.55]
    found = charted(EXPIRY, gap, blur)
    expected = gap[:, 0].copy()
    expected[75] /= 2.0
    expected[76] /= 4.0
    np.testing.assert_allclose(found.value, np.cbrt(expected))
    np.testing.assert_array_equal(found.inflation, 1.0)
    assert not EXPIRY.two_sided  # an expiry that falls into line is no news


# Structure --------------------------------------------------------------------------------------

HESTON = headlines_of("heston")[-1]


def parameters(n=100, seed=3):
    """Return Heston structures whose estimates err along a ridge: kappa and xi rise together."""
    rng = np.random.default_rng(seed)
    ridge, own = rng.standard_normal((n, 1)), rng.standard_normal((n, 4))
    logs = np.log([8.0, 0.25, 3.0, 1.0]) + 0.1 * ridge * [2.0, 0.0, 1.0, 0.0] + 0.02 * own
    return np.column_stack([np.exp(logs[:, :3]), -0.3 + 0.02 * own[:, 3]])


def away(theta):
    return HESTON.chart(theta, AT).value


def test_structure_is_what_a_model_claims_to_be_constant():
    assert [p.name for p in structure(MODELS["heston"])] == ["kappa", "theta_v", "xi", "rho"]
    assert structure(MODELS["svi"]) == ()
    assert [h.name for h in headlines_of("svi")] == ["rmse_iv", "refreshed_rmse_iv"]
    assert [s[1] for s in HESTON.sources] == [
        *("param:kappa", "param:theta_v", "param:xi", "param:rho")
    ]


def test_a_jump_across_the_ridge_is_far_and_the_same_along_it_is_near():
    theta = parameters()
    along, across = theta.copy(), theta.copy()
    along[80:] *= np.exp([0.2, 0.0, 0.1, 0.0])
    across[80:] *= np.exp([0.2, 0.0, -0.1, 0.0])
    usual = np.median(away(theta)[60:80])
    assert np.median(away(across)[80:]) > usual + 1.0
    assert np.median(away(along)[80:]) < usual + 1.0


def test_nights_outside_the_reference_lie_no_farther_than_those_inside():
    rng = np.random.default_rng(4)
    inside, outside = [], []
    for _ in range(200):
        theta = np.exp(0.1 * rng.standard_normal((80, 4)))
        distance = np.exp(2.0 * away(theta))
        inside.append(np.mean(distance[:60]))
        outside.append(np.mean(distance[60:]))
    # Means of 200 times 20 chi-squares of four: good to one in a hundred and more.
    assert np.mean(outside) == pytest.approx(np.mean(inside), rel=0.05)


def test_a_parameter_that_never_moved_has_no_say():
    theta = parameters()
    theta[:, 3] = -0.999  # at its bound on every night
    moved = theta.copy()
    moved[90:, 3] = -0.5
    np.testing.assert_array_equal(away(moved), away(theta))
    assert not away(np.ones((80, 4))).any()


def test_positive_parameters_are_compared_by_their_logarithm():
    kappa, rho = structure(MODELS["heston"])[0], structure(MODELS["heston"])[3]
    assert scaled(kappa, np.array([4.0])) == pytest.approx(np.log(4.0))
    assert scaled(rho, np.array([-0.4])) == -0.4
    assert np.isfinite(scaled(kappa, np.array([0.0])))


# Nights -----------------------------------------------------------------------------------------


def test_a_headline_has_the_nights_that_all_its_sources_have():
    a, b = ("a", "chain"), ("b", "chain")
    series = {
        a: (np.array([1, 2, 3]), np.array([10.0, 20.0, 30.0])),
        b: (np.array([2, 3, 4]), np.array([2.0, 3.0, 4.0])),
    }
    nights, values = nights_of(series, (a, b))
    np.testing.assert_array_equal(nights, [2, 3])
    np.testing.assert_array_equal(values, [[20.0, 2.0], [30.0, 3.0]])
    assert len(nights_of({a: series[a]}, (a, b))[0]) == 0


def test_the_level_pages_nobody_and_names_are_unique():
    assert not LEVEL.pages and all(h.pages for h in SMILE_HEADLINES)
    names = [h.name for h in (*SMILE_HEADLINES, LEVEL, *PLACES)]
    assert len(set(names)) == len(names)
    assert 3 <= len(headlines_of("heston")) <= 5 and 3 <= len(SMILE_HEADLINES) <= 5
