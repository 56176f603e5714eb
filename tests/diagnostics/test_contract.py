"""Every registered metric keeps every law, on good chains and on broken ones."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from monitor.calibration.prior import expert_prior
from monitor.calibration.pull import Pulled, pulled_fit
from monitor.calibration.solve import calibrate, evaluate, grid_of
from monitor.diagnostics.base import (
    METRICS,
    Evidence,
    History,
    MetricValue,
    Series,
    measure,
)
from monitor.diagnostics.drift import HISTORY_METRICS
from monitor.errors import DomainError
from monitor.models import MODELS
from monitor.outcome import Rejection
from monitor.replication.chain import PastChain
from tests.diagnostics.evidence import fit_saying, market, quotes_of, remembered
from tests.market.chains import AS_OF, EXPIRIES, chain, skewed

MODEL_NAMES = ("black", "svi", "heston")
LAST_NIGHT = chain(n_strikes=9, as_of=AS_OF - timedelta(days=1))
TONIGHT = chain(lambda k, tau: skewed(k, tau) + 0.01, n_strikes=9)
ASKED_OF_THE_VENUE = (
    "listed_share chain_age future_gap iv30_dvol_gap realised_variance bipower_variance "
    "realised_jump_share realised_jump_z realised_jumps variance_premium spot_variance_gap "
    "jump_share_gap jump_agreement correlation_gap vol_of_vol_gap"
).split()
NOTHING = np.full(len(TONIGHT), np.nan)


def with_model(on_chain: Evidence, name: str, before: Evidence | None = None) -> Evidence:
    """Return the evidence on a model's own fit, with last night's laid on it."""
    model, quotes = MODELS[name], on_chain.quotes
    if not quotes.n:
        # No pass asks for it, but a metric must not depend on its caller's care.
        return replace(on_chain, model=model, fit=fit_saying(quotes, quotes.iv, model=name))
    fit = calibrate(model, quotes)
    if before is None:
        return replace(on_chain, model=model, fit=fit)
    then = calibrate(model, before.quotes)
    past = remembered(then, before.quotes)
    grid = grid_of(quotes)
    carried = model.carry(past.params, past.expiry_ms, past.tau, grid)
    laid = evaluate(model, quotes, carried, grid=grid)
    pulled = None
    if not model.per_expiry:
        prior = expert_prior(model, grid, [("v0", 1.1 * fit.params[0], 0.1 * fit.params[0])])
        pulled = Pulled(prior, pulled_fit(model, quotes, fit, prior, grid=grid))
    # A settled reference and nights enough since to compare their distribution with it.
    times, rng = np.arange(70) * 86_400_000, np.random.default_rng(1)
    charts = {"change_score", "smile_change_score"}
    series = {
        (who, *key): Series(times, 0.02 + 0.001 * rng.standard_normal(70))
        for who in (name, None)
        for key in HISTORY_METRICS
        if key[0] not in charts
    }
    history = History(
        fits={name: past},
        series=series,
        chain_digest="another",
        n_quotes=30,
        last_chain=PastChain.of(before.quotes),
    )
    laid_on = {"frozen_iv": laid.iv, "refreshed": laid, "pulled": pulled}
    return replace(on_chain, model=model, fit=fit, history=history, **laid_on)


def _situations() -> dict[str, Evidence]:
    first, second = market(LAST_NIGHT), market(TONIGHT)
    chains = {
        "first night": first,
        "one expiry": market(chain(expiries=EXPIRIES[:1])),
        "one quote": market(chain(expiries=EXPIRIES[:1], n_strikes=1)),
        "no quote": market(replace(TONIGHT, bid=NOTHING, ask=NOTHING)),
        "all crossed": market(replace(TONIGHT, bid=TONIGHT.ask, ask=TONIGHT.bid)),
    }
    made = {f"market, {what}": evidence for what, evidence in chains.items()}
    for name in MODEL_NAMES:
        made |= {f"{name}, {what}": with_model(e, name) for what, e in chains.items()}
        night = with_model(second, name, before=first)
        made[f"{name}, second night"] = night
        made[f"{name}, no vols"] = replace(
            night,
            fit=replace(
                night.fit,
                iv=np.full(night.quotes.n, np.nan),
                params=np.full(len(night.fit.params), np.nan),
                leverage=np.full(night.quotes.n, np.nan),
                covariance=np.full_like(night.fit.covariance, np.nan),
                condition=np.inf,
            ),
            frozen_iv=np.full(night.quotes.n, np.nan),
        )
    made["market, second night"] = replace(second, history=night.history)
    for what in ("second night", "no vols"):
        asked = [f"{name}, {what}" for name in MODEL_NAMES]
        fits = tuple(made[name].fit for name in asked)
        made |= {name: replace(made[name], rivals=fits) for name in asked}
    return made


SITUATIONS = _situations()


@pytest.mark.parametrize("situation", sorted(SITUATIONS))
def test_every_metric_keeps_the_laws_in_every_situation(situation):
    evidence = SITUATIONS[situation]
    level = "market" if evidence.model is None else "model"
    who = None if evidence.model is None else evidence.model.name
    found = measure(evidence)  # raises nothing
    for outcome in found:
        if isinstance(outcome, MetricValue):
            metric = METRICS[outcome.metric]
            assert np.isfinite(outcome.value), outcome
            assert (outcome.model, outcome.unit) == (who, metric.unit)
            assert metric.level == level
            assert outcome.scope and outcome.n >= 0
            assert outcome.stderr is None or np.isfinite(outcome.stderr)
        else:
            assert (outcome.stage, bool(outcome.reason)) == ("metric", True), outcome
    # Nothing is said twice: one value a metric and scope.
    said = [(o.metric, o.scope) for o in found if isinstance(o, MetricValue)]
    assert len(said) == len(set(said))
    # Nothing is passed over in silence: a metric without a value says why.
    for name, metric in METRICS.items():
        if metric.level == level:
            spoke = any(
                (o.metric if isinstance(o, MetricValue) else o.subject.split("/")[0]) == name
                for o in found
            )
            assert spoke, name
    assert measure(evidence) == found


@pytest.mark.parametrize("situation", ["svi, second night", "heston, second night"])
def test_no_metric_changes_what_it_looks_at(situation):
    evidence = SITUATIONS[situation]

    def content():
        quotes, fit = evidence.quotes, evidence.fit
        arrays = [quotes.iv, quotes.noise, quotes.k, fit.iv, fit.params, fit.covariance]
        arrays.append(evidence.frozen_iv)
        return evidence.snapshot.digest, evidence.history.digest(), [a.tobytes() for a in arrays]

    before = content()
    measure(evidence)
    assert content() == before


@pytest.mark.parametrize("name", list(METRICS))
def test_every_metric_says_what_it_is_where_it_comes_from_and_what_it_needs(name):
    metric = METRICS[name]
    for text in (metric.unit, metric.definition, metric.source, metric.needs):
        assert text.strip() == text != ""
    assert metric.definition.endswith(".") and not metric.definition[0].islower()
    # The list is by name: what stands above is another metric.
    assert not re.search(
        "[Tt]he same(?! (hour|expiry|strikes|log-moneyness|values|fit))", metric.definition
    )
    assert not re.match("[Aa]s ", metric.source) and not re.match("as ", metric.needs)


@pytest.mark.parametrize("name", list(METRICS))
def test_every_metric_has_a_value_on_an_ordinary_second_night(name):
    # Recorded chains and small ones know no listing, no venue clock, no futures, no index and no
    # candles; small ones have too few neighbours to tell how they go together, and over night, and
    # too few expiries to draw a curve. A change of misfit that no block explains has none.
    apart = ("noise_neighbour", "noise_lasting", "misfit_change_block", "term_gap_iv")
    if name in (*ASKED_OF_THE_VENUE, *apart):
        pytest.skip("has a test of its own, with what it asks the venue for")
    level = METRICS[name].level
    nights = ["market"] if level == "market" else ["svi", "heston"]
    found = [o for night in nights for o in measure(SITUATIONS[f"{night}, second night"])]
    assert any(isinstance(o, MetricValue) and o.metric == name for o in found)


def test_a_value_that_is_not_finite_cannot_be_made():
    for bad in (np.nan, np.inf):
        with pytest.raises(DomainError, match="rmse_iv of svi"):
            MetricValue("rmse_iv", "svi", "chain", bad, "vol", 1)


def test_metrics_that_read_the_others_come_last_and_see_only_the_chain():
    evidence = SITUATIONS["svi, second night"]
    names = [o.metric for o in measure(evidence) if isinstance(o, MetricValue)]
    last = {name for name, m in METRICS.items() if m.after}
    first = next(i for i, name in enumerate(names) if name in last)
    assert set(names[first:]) <= last


def test_rejections_name_the_metric_the_model_and_the_place():
    found = measure(SITUATIONS["svi, no vols"])
    subjects = {o.subject for o in found if isinstance(o, Rejection)}
    assert {"rmse_iv/svi/chain", "bias_z/svi/wing:put", "frozen_rmse_iv/svi/chain"} <= subjects


def test_evidence_of_equal_content_has_one_history_digest():
    evidence, again = SITUATIONS["svi, second night"], SITUATIONS["heston, second night"]
    same = replace(evidence.history, n_quotes=30)
    assert same.digest() == evidence.history.digest()
    assert again.history.digest() != evidence.history.digest()
    assert quotes_of(TONIGHT).n == evidence.quotes.n
