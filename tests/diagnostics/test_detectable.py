"""The smallest detectable error moves with what hides an error, and with nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.calibration.solve import calibrate
from monitor.diagnostics.base import History, Series
from monitor.diagnostics.detectable import CLASSES, buckets_of
from monitor.diagnostics.places import WINGS, wing_index
from monitor.models import MODELS
from tests.diagnostics.evidence import market, outcomes, reasons, saying, value, values
from tests.market.chains import EXPIRIES, chain, skewed

CHAIN = chain(n_strikes=13)
QUOTES = market(CHAIN).quotes
EVIDENCE = saying(CHAIN, 0.0)
PUT = "bucket:2026-02-27/put"


def fitted(snapshot, name="heston", **changes):
    on_chain = market(snapshot)
    model = MODELS[name]
    fit = calibrate(model, on_chain.quotes)
    return replace(on_chain, model=model, fit=fit, **changes)


def moving(evidence, size, nights=40):
    """The evidence with a past in which every class's misfit moved by `size`."""
    x = size * np.random.default_rng(1).standard_normal(nights)
    name = evidence.model.name
    series = {(name, "class_bias_iv", c): Series(np.arange(nights), x) for c in CLASSES}
    return replace(evidence, history=History(series=series))


def test_every_quote_lies_in_one_bucket_and_each_buckets_weights_sum_to_one():
    buckets = buckets_of(QUOTES)
    np.testing.assert_array_equal(buckets.members.sum(axis=1), 1)
    np.testing.assert_allclose(buckets.weights.sum(axis=0), 1.0)
    assert np.all((buckets.weights > 0.0) == buckets.members)
    for b, scope in enumerate(buckets.scope):
        expiry, wing = scope.removeprefix("bucket:").split("/")
        mine = buckets.members[:, b]
        assert set(wing_index(QUOTES)[mine]) == {WINGS.index(wing)}
        assert {f"{EXPIRIES[j]:%Y-%m-%d}" for j in QUOTES.expiry_index[mine]} == {expiry}


def test_of_a_model_that_follows_nothing_it_is_the_error_of_a_mean():
    mine = buckets_of(QUOTES).members[:, buckets_of(QUOTES).scope.index(PUT)]
    variance = 1.0 / np.sum(3.0 / QUOTES.noise[mine] ** 2)
    expected = (1.959964 + 0.841621) * np.sqrt(variance)
    assert value("detectable_iv", EVIDENCE, PUT) == pytest.approx(expected, rel=1e-5)


@pytest.mark.moves("detectable_iv")
def test_it_grows_with_spreads_and_with_the_usual_movement_and_with_what_the_fit_follows():
    narrow = value("detectable_iv", fitted(CHAIN), PUT)
    wide = value("detectable_iv", fitted(chain(n_strikes=13, width_iv=0.03)), PUT)
    assert wide == pytest.approx(3.0 * narrow, rel=0.05)
    still, busy = moving(EVIDENCE, 0.0), moving(EVIDENCE, 0.01, nights=400)
    assert value("detectable_iv", still, PUT) == value("detectable_iv", EVIDENCE, PUT)
    # 2.8 deviations of the difference of two nights of a per cent each, drawn 400 times.
    assert value("detectable_iv", busy, PUT) == pytest.approx(0.028 * 2**0.5, rel=0.15)
    few = moving(EVIDENCE, 0.01, nights=9)
    assert value("detectable_iv", few, PUT) == value("detectable_iv", EVIDENCE, PUT)
    # SVI follows a wing of one expiry further than five parameters for all of them do.
    assert value("detectable_iv", fitted(CHAIN, "svi"), PUT) > 1.5 * narrow


def test_a_standing_misfit_does_not_hide_an_error():
    bent = saying(CHAIN, 0.05)
    assert values("detectable_iv", bent) == values("detectable_iv", EVIDENCE)
    past = {
        (None if key is None else "black", "class_bias_iv", c): Series(
            np.arange(40), np.full(40, 0.05)
        )
        for c in CLASSES
        for key in ("black",)
    }
    standing = replace(bent, history=History(series=past))
    assert values("detectable_iv", standing) == values("detectable_iv", EVIDENCE)


@pytest.mark.moves("blind_vega")
def test_a_bucket_that_the_fit_reproduces_is_blind_and_so_is_one_beyond_the_tolerance():
    everything = saying(CHAIN, 0.0, jacobian=np.eye(QUOTES.n), at_bound=np.zeros(QUOTES.n, int))
    assert not values("detectable_iv", everything)
    for name in ("detectable_iv", "bucket_z"):
        assert reasons(name, everything) == {"not_enough_data"}
    assert value("blind_vega", everything) == 1.0
    least = values("detectable_iv", EVIDENCE)
    limit = np.median(list(least.values()))
    asked = replace(EVIDENCE, tolerance_iv=float(limit))
    assert set(values("bucket_z", asked)) == {s for s, error in least.items() if error <= limit}
    assert reasons("bucket_z", asked) == {"not_enough_data"}
    assert 0.0 < value("blind_vega", asked) < 1.0
    assert value("blind_vega", replace(EVIDENCE, tolerance_iv=1.0)) == value("blind_vega", EVIDENCE)


def test_vega_without_a_quote_is_blind_and_vega_with_one_is_not():
    assert value("blind_vega", EVIDENCE) == pytest.approx(0.0, abs=1e-12)
    last = CHAIN.expiry_ms == CHAIN.expiry_ms.max()
    gone = replace(CHAIN, bid=np.where(last, np.nan, CHAIN.bid))
    share = value("blind_vega", saying(gone, 0.0))
    assert 0.3 < share < 0.8  # the longest expiry has the most vega
    assert reasons("blind_vega", saying(replace(CHAIN, mark_iv=np.full(len(CHAIN), np.nan),
                   bid=np.full(len(CHAIN), np.nan)), 0.0)) == {"no_model_value"}  # fmt: skip


@pytest.mark.moves("bucket_z")
def test_the_test_of_a_bucket_is_its_mean_over_its_deviation():
    put = wing_index(QUOTES) == WINGS.index("put")
    here = put & (QUOTES.expiry_index == 1)
    bent = saying(CHAIN, 0.01 * here)
    deviation = 1.0 / np.sqrt(np.sum(3.0 / QUOTES.noise[here] ** 2))
    found = values("bucket_z", bent)
    assert value("bucket_z", EVIDENCE, PUT) == 0.0
    assert found[PUT] == pytest.approx(0.01 / deviation)
    assert all(z == pytest.approx(0.0, abs=1e-9) for scope, z in found.items() if scope != PUT)


@pytest.mark.moves("class_bias_iv")
def test_a_class_is_told_by_its_best_quoted_expiry():
    # Of two expiries beyond a month, the nearer has the narrower book here.
    error = np.where(QUOTES.expiry_index == 1, 0.02, np.where(QUOTES.expiry_index == 2, 0.05, 0.01))
    precision = np.array([np.sum(QUOTES.noise[QUOTES.expiry_index == j] ** -2.0) for j in (1, 2)])
    found = values("class_bias_iv", saying(CHAIN, error))
    assert set(found) <= set(CLASSES)
    assert found["class:week/put"] == pytest.approx(0.01)
    assert found["class:far/centre"] in (pytest.approx(0.02), pytest.approx(0.05))
    assert precision[0] != precision[1]
    best = 1 if found["class:far/centre"] == pytest.approx(0.02) else 2
    other = value("class_bias_iv", saying(CHAIN, error + 0.01 * (QUOTES.expiry_index == 3 - best)),
                  "class:far/centre")  # fmt: skip
    assert other == found["class:far/centre"]
    more = saying(CHAIN, error + 0.01 * (QUOTES.expiry_index == best))
    assert value("class_bias_iv", more, "class:far/centre") == pytest.approx(other + 0.01)
    assert all(o.n > 0 for o in outcomes("class_bias_iv", saying(CHAIN, error)))


def test_a_smile_that_the_model_follows_changes_no_bucket_and_an_unlike_one_does():
    calm = values("bucket_z", fitted(CHAIN, "svi"))
    other = chain(lambda k, tau: skewed(k, tau) + 0.1, n_strikes=13)
    level = values("bucket_z", fitted(other, "svi"))
    assert max(map(abs, [*calm.values(), *level.values()])) < 1.0
    wavy = chain(
        lambda k, tau: skewed(k, tau) + 0.02 * np.sin(8.0 * k / np.sqrt(tau)), n_strikes=13
    )
    assert max(map(abs, values("bucket_z", fitted(wavy, "heston")).values())) > 5.0
