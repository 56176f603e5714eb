"""Residual metrics against sums done by hand, and what they must not answer to."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from monitor.diagnostics.base import History, Series
from monitor.diagnostics.noise_model import CELLS
from monitor.diagnostics.places import WINGS, places, wing_index
from tests.diagnostics.evidence import market, outcomes, reasons, saying, value, values
from tests.market.chains import EXPIRIES, chain

CHAIN = chain(n_strikes=9)
QUOTES = market(CHAIN).quotes
# A different error at every quote, none of them zero, of both signs.
ERROR = 0.01 * np.sin(1.0 + np.arange(QUOTES.n))
EVIDENCE = saying(CHAIN, ERROR)


def normal_cdf(x):
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def slow_premium(k, w, sign):
    """Black's formula as it is printed, without the care that small premiums need."""
    d1 = -k / math.sqrt(w) + 0.5 * math.sqrt(w)
    call = normal_cdf(d1) - math.exp(k) * normal_cdf(d1 - math.sqrt(w))
    return call if sign > 0 else call - (1.0 - math.exp(k))


def test_wings_are_nearer_to_25_than_to_50_delta():
    for i in range(QUOTES.n):
        deviation = QUOTES.iv[i] * math.sqrt(QUOTES.tau[QUOTES.expiry_index[i]])
        call_delta = normal_cdf(-QUOTES.k[i] / deviation + 0.5 * deviation)
        near_call = abs(call_delta - 0.25) < abs(call_delta - 0.50) or call_delta < 0.25
        near_put = abs(call_delta - 0.75) < abs(call_delta - 0.50) or call_delta > 0.75
        expected = "call" if near_call else "put" if near_put else "centre"
        assert WINGS[wing_index(QUOTES)[i]] == expected


def test_every_quote_lies_in_one_wing_and_in_one_expiry():
    found = dict(places(QUOTES))
    for family in ("wing:", "expiry:"):
        parts = [here for scope, here in found.items() if scope.startswith(family)]
        np.testing.assert_array_equal(np.sum(parts, axis=0), np.ones(QUOTES.n))
    assert found["chain"].all()
    assert set(found) >= {f"expiry:{expiry:%Y-%m-%d}" for expiry in EXPIRIES}


RESIDUALS = {
    "iv": lambda i: ERROR[i],
    "z_spread": lambda i: ERROR[i] / (0.5 * (QUOTES.iv_ask[i] - QUOTES.iv_bid[i])),
    "coin": lambda i: (
        slow_premium(
            QUOTES.k[i],
            (QUOTES.iv[i] + ERROR[i]) ** 2 * QUOTES.tau[QUOTES.expiry_index[i]],
            QUOTES.sign[i],
        )
        - 0.5 * (QUOTES.c_bid[i] + QUOTES.c_ask[i])
    ),
    # Nothing absorbed and nothing learnt: the deviation of what is uniform between bid and ask.
    "z": lambda i: ERROR[i] / (QUOTES.noise[i] / 3**0.5),
}


@pytest.mark.parametrize("unit", sorted(RESIDUALS))
def test_summaries_at_every_place_equal_those_done_by_hand(unit):
    for scope, here in places(QUOTES):
        known = [RESIDUALS[unit](i) for i in np.flatnonzero(here)]
        by_hand = {
            "bias": sum(known) / len(known),
            "rmse": math.sqrt(sum(x * x for x in known) / len(known)),
            "max": max(known, key=abs),
        }
        for summary, expected in by_hand.items():
            # The printed formula loses digits of a premium of 1e-4 to 1 - 1; vols lose none.
            assert value(f"{summary}_{unit}", EVIDENCE, scope) == pytest.approx(expected, rel=1e-9)


# So narrow that the mid of premiums is the premium of the mid.
NARROW = chain(n_strikes=9, width_iv=1e-4)
ALL_UNITS = [f"{summary}_{unit}" for unit in RESIDUALS for summary in ("bias", "rmse", "max")]


def shifted(quotes, by):
    vols = {name: getattr(quotes, name) + by for name in ("iv", "iv_bid", "iv_ask")}
    return replace(quotes, **vols)


def widened(quotes, factor):
    """Return the quotes with spreads `factor` times as wide about the same mid vols."""
    half = 0.5 * factor * (quotes.iv_ask - quotes.iv_bid)
    wide = {"iv_bid": quotes.iv - half, "iv_ask": quotes.iv + half}
    return replace(quotes, **wide, noise=factor * quotes.noise)


@pytest.mark.moves(
    "bias_iv rmse_iv max_iv bias_coin rmse_coin max_coin bias_z rmse_z max_z "
    "bias_z_spread rmse_z_spread max_z_spread"
)
@pytest.mark.parametrize("name", ALL_UNITS)
def test_twice_the_error_is_twice_as_much_and_the_other_way_the_other_sign(name):
    # So small that premiums are as good as straight in vol, and of one sign: nothing nets out.
    once, twice, back = (
        value(name, saying(NARROW, size * np.abs(ERROR))) for size in (0.1, 0.2, -0.1)
    )
    assert twice == pytest.approx(2.0 * once, rel=0.02)
    assert back == pytest.approx(once if name.startswith("rmse") else -once, rel=0.02)


@pytest.mark.parametrize("name", ALL_UNITS)
def test_vols_and_coins_do_not_know_the_spread_and_spreads_do_not_know_the_level(name):
    wide = replace(EVIDENCE, quotes=widened(QUOTES, 3.0))
    expected = value(name, EVIDENCE) / (1.0 if name.endswith(("iv", "coin")) else 3.0)
    assert value(name, wide) == pytest.approx(expected, rel=1e-9)
    if not name.endswith("coin"):  # a vol point is worth what the vega is there
        up = replace(EVIDENCE, quotes=shifted(QUOTES, 0.1))
        up = replace(up, fit=replace(EVIDENCE.fit, iv=EVIDENCE.fit.iv + 0.1))
        assert value(name, up) == pytest.approx(value(name, EVIDENCE), rel=1e-9)


def test_the_error_of_a_bias_is_that_of_a_mean():
    found = next(m for m in outcomes("bias_iv", EVIDENCE) if m.scope == "chain")
    assert found.n == QUOTES.n
    assert found.stderr == pytest.approx(np.std(ERROR, ddof=1) / math.sqrt(QUOTES.n), rel=1e-12)


def test_what_the_fit_absorbed_of_a_quote_makes_its_residual_count_for_more():
    # Black fits one number an expiry: of equal quotes it takes one in n of each, of a lone one all.
    jacobian = (QUOTES.expiry_index[:, None] == np.arange(QUOTES.m)).astype(float)
    absorbed = saying(CHAIN, ERROR, jacobian=jacobian)
    precision = QUOTES.noise**-2.0
    share = precision / np.bincount(QUOTES.expiry_index, precision)[QUOTES.expiry_index]
    expected = ERROR / (QUOTES.noise / 3**0.5) / np.sqrt(1.0 - share)
    assert value("bias_z", absorbed) == pytest.approx(np.mean(expected), rel=1e-9)
    # Reproduced by construction: nothing to judge.
    alone = saying(CHAIN, ERROR, jacobian=np.eye(QUOTES.n), at_bound=np.zeros(QUOTES.n, np.int64))
    assert reasons("bias_z", alone) == {"no_model_value"}
    # Descriptive residuals do not know of leverage.
    assert value("bias_z_spread", absorbed) == value("bias_z_spread", EVIDENCE)


def test_noise_that_was_learnt_counts_in_z_and_nowhere_else():
    loud = {
        (None, "noise_power", scope): Series(np.arange(400), np.full(400, 4.0))
        for scope in ("chain", *CELLS)
    }
    loud |= {(None, "noise_weight", c): Series(np.arange(400), np.full(400, 1e9)) for c in CELLS}
    taught = replace(EVIDENCE, history=History(series=loud))
    assert value("rmse_z", taught) == pytest.approx(0.5 * value("rmse_z", EVIDENCE), rel=1e-6)
    assert value("rmse_z_spread", taught) == value("rmse_z_spread", EVIDENCE)


def test_a_bent_wing_moves_that_wing_and_the_chain_and_no_other_place():
    put = wing_index(QUOTES) == WINGS.index("put")
    bent = saying(CHAIN, ERROR + 0.02 * put)
    before, after = values("bias_iv", EVIDENCE), values("bias_iv", bent)
    assert after["wing:put"] - before["wing:put"] == pytest.approx(0.02, rel=1e-9)
    assert after["chain"] - before["chain"] == pytest.approx(0.02 * put.mean(), rel=1e-9)
    for scope in ("wing:centre", "wing:call"):
        assert after[scope] == before[scope]


def test_wider_quotes_make_a_miss_smaller_in_noise_and_leave_it_in_vol():
    narrow, wide = (saying(chain(n_strikes=9, width_iv=w), 0.01) for w in (0.02, 0.04))
    assert value("bias_iv", wide) == pytest.approx(value("bias_iv", narrow), rel=1e-9)
    assert value("bias_z_spread", narrow) == pytest.approx(1.0)
    assert value("bias_z_spread", wide) == pytest.approx(0.5)
    # In the wings of near expiries half a tick is wider than the book, and is the noise.
    assert value("bias_z", narrow, "wing:centre") == pytest.approx(3**0.5)
    assert value("bias_z", wide, "wing:centre") == pytest.approx(0.5 * 3**0.5)
    assert value("bias_z", saying(chain(n_strikes=9, width_iv=0.01), 0.005)) < 3**0.5


def test_the_inside_share_counts_the_quotes_whose_vol_lies_between_bid_and_ask():
    half = 0.5 * (QUOTES.iv_ask - QUOTES.iv_bid)
    evidence = saying(CHAIN, np.where(np.arange(QUOTES.n) < 3, 1.5, 0.5) * half)
    assert value("inside_share", evidence) == pytest.approx(1.0 - 3.0 / QUOTES.n)
    # A quote for which the model has no vol is no quote that it prices inside the market.
    absent = np.where(np.arange(QUOTES.n) < 3, np.nan, 0.0)
    assert value("inside_share", saying(CHAIN, absent)) == pytest.approx(1.0 - 3.0 / QUOTES.n)


@pytest.mark.moves("inside_share")
def test_how_far_outside_a_quote_is_does_not_count_and_that_it_is_does():
    half = 0.5 * (QUOTES.iv_ask - QUOTES.iv_bid)

    def share(outside, by, within=0.5):
        off = np.where(np.arange(QUOTES.n) < outside, by, within) * half
        return value("inside_share", saying(CHAIN, off))

    assert share(3, 1.5) - share(9, 1.5) == pytest.approx(6.0 / QUOTES.n)
    assert share(3, 1.5) == share(3, 15.0) == share(3, -1.5) == share(3, 1.5, within=-0.9)


def test_a_place_where_the_model_has_no_vol_is_rejected_and_the_rest_is_not():
    put = wing_index(QUOTES) == WINGS.index("put")
    evidence = saying(CHAIN, np.where(put, np.nan, 0.01))
    assert "wing:put" not in values("rmse_iv", evidence)
    assert reasons("rmse_iv", evidence) == {"no_model_value"}
    assert value("rmse_iv", evidence) == pytest.approx(0.01, rel=1e-9)


def test_a_chain_without_quotes_has_no_share_inside_and_says_so():
    nothing = np.full(len(CHAIN), np.nan)
    evidence = saying(replace(CHAIN, bid=nothing, ask=nothing), 0.0)
    assert not values("inside_share", evidence)
    assert reasons("inside_share", evidence) == {"no_quotes"}
