"""The whole pass on small chains: pure, never raising, telling the truth about broken chains."""

from __future__ import annotations

import ast
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

import monitor.assessment as assessment
from monitor.assess import assess, run_of
from monitor.assessment import Past, Rules, Stream
from monitor.diagnostics.base import History
from monitor.diagnostics.drift_rules import DriftRules
from monitor.errors import UnknownNameError
from monitor.incidents.base import Event
from monitor.recollect import NO_MEMORY, remember
from monitor.verdict.base import Cause, Kind, PastVerdict, Severity, Status
from monitor.verdict.inventory import ModelUse
from tests.market.chains import AS_OF, EXPIRIES, chain, skewed

STREAM = Stream("deribit", "BTC")
RULES = Rules(models=("black", "svi"))
CHAIN = chain(n_strikes=21)
NO_PAST = Past()
FIRST = CHAIN.as_of.date().isoformat()


def one_night(snapshot=CHAIN, past=NO_PAST, rules=RULES, slot=FIRST):
    return assess(snapshot, past, rules, stream=STREAM, slot=slot)


def said(found):
    """Return every number to its last bit, and every word."""
    numbers = [(repr(m), m.value.hex()) for m in found.metrics]
    arrays = [(f.params.tobytes(), f.iv.tobytes(), f.covariance.tobytes()) for f in found.fits]
    words = (found.run, found.rejections, found.verdicts, found.transitions, found.messages)
    return repr((numbers, arrays, words))


@pytest.fixture(scope="module")
def two():
    """One night, and what is known after it."""
    found = one_night()
    return found, remember(NO_MEMORY, found).past


@pytest.fixture(scope="module")
def tomorrow():
    return chain(
        lambda k, tau: skewed(k, tau) + 0.01, n_strikes=21, as_of=AS_OF + timedelta(days=1)
    )


# Purity and identity ----------------------------------------------------------------------------


def test_the_same_night_gives_the_same_bits_and_changes_nothing_it_was_given(two, tomorrow):
    _, past = two
    before = (tomorrow.digest, past.digest(), RULES.digest())
    results = [said(one_night(tomorrow, past, slot="2026-01-11")) for _ in range(2)]
    assert results[0] == results[1]
    assert (tomorrow.digest, past.digest(), RULES.digest()) == before


def test_what_was_asked_before_leaves_no_trace(two, tomorrow):
    first, past = two
    alone = said(one_night())
    one_night(tomorrow, past, slot="2026-01-11")
    assert said(one_night()) == alone == said(first)


def test_the_order_of_rows_is_not_part_of_a_chain():
    order = np.random.default_rng(1).permutation(len(CHAIN))
    columns = {f.name: getattr(CHAIN, f.name) for f in fields(CHAIN)}
    shuffled = {
        name: tuple(np.array(c)[order]) if isinstance(c, tuple) else c[order]
        for name, c in columns.items()
        if isinstance(c, (tuple, np.ndarray)) and len(c) == len(CHAIN)
    }
    assert said(one_night(replace(CHAIN, **shuffled))) == said(one_night())


def run_id(snapshot=CHAIN, past=NO_PAST, rules=RULES, slot=FIRST, stream=STREAM):
    return run_of(snapshot, past, rules, stream=stream, slot=slot).id


def test_a_run_is_named_by_everything_that_can_change_what_it_says(two):
    _, past = two
    changed = {
        "slot": run_id(slot="2026-01-11"),
        "venue": run_id(stream=Stream("okx", "BTC")),
        "underlying": run_id(stream=Stream("deribit", "ETH")),
        "cadence": run_id(stream=Stream("deribit", "BTC", "snapshot")),
        "a price": run_id(replace(CHAIN, bid=CHAIN.bid * (1.0 - 1e-12))),
        "the time": run_id(chain(n_strikes=21, as_of=AS_OF + timedelta(milliseconds=1))),
        "context": run_id(replace(CHAIN, venue_now_ms=CHAIN.as_of_ms)),
        "cleaning": run_id(
            rules=replace(RULES, cleaning=replace(RULES.cleaning, min_tenor_h=13.0))
        ),
        "drift": run_id(rules=replace(RULES, drift=DriftRules(streams=7))),
        "inventory": run_id(rules=replace(RULES, inventory={"svi": ModelUse("hedging")})),
        "models": run_id(rules=replace(RULES, models=("svi",))),
        "past": run_id(past=past),
        "last night's quotes": run_id(past=Past(History(n_quotes=1))),
        "a verdict": run_id(past=Past(verdicts={"svi": (PastVerdict(0, Status.WATCH),)})),
    }
    ids = [run_id(), *changed.values()]
    assert len(set(ids)) == len(ids)
    assert run_id() == one_night().run.id


def test_the_order_of_the_models_is_part_of_a_run_for_the_board_is_told_in_it():
    # The numbers are the same; board, ties and messages follow the order that was asked for.
    here, there = one_night(), one_night(rules=replace(RULES, models=("svi", "black")))
    assert here.run.id != there.run.id
    assert set(here.metrics) == set(there.metrics)
    assert [v.model for v in there.verdicts] == ["market", "svi", "black"]


def test_the_order_of_the_inventory_is_not_part_of_a_run():
    uses = {"svi": ModelUse("marking"), "heston": ModelUse("hedging")}
    other = dict(reversed(uses.items()))
    assert run_id(rules=replace(RULES, inventory=uses)) == run_id(
        rules=replace(RULES, inventory=other)
    )


def test_the_code_that_numbers_go_through_is_part_of_a_run():
    """Modules of no package that the pass imports are in the digest; values and names need not."""
    root = Path(assessment.__file__).parent
    imported = {
        node.module.removeprefix("monitor.").split(".")[0]
        for path in (
            root / "assess.py",
            *(root / "diagnostics").glob("*.py"),
            *root.glob("market/*"),
        )
        if path.suffix == ".py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("monitor.")
    }
    modules = {f"{name}.py" for name in imported if (root / f"{name}.py").is_file()}
    # The types that a pass returns, the exceptions, the registry of names and the rejections.
    carried = {"assessment.py", "errors.py", "outcome.py", "registry.py"}
    assert modules - carried <= set(assessment._PURE_MODULES)
    packages = {name for name in imported if (root / name).is_dir()}
    assert packages <= set(assessment._PURE)


def test_a_model_that_is_not_registered_is_named():
    with pytest.raises(UnknownNameError, match=r"no model is named 'hestn'.*heston"):
        one_night(rules=Rules(models=("hestn",)))


# Broken chains ----------------------------------------------------------------------------------

NOTHING = np.full(len(CHAIN), np.nan)
BROKEN = {
    "no rows": replace(
        CHAIN,
        **{
            name: getattr(CHAIN, name)[:0]
            for name in (
                "instrument underlying_index expiry_ms is_call strike forward bid ask mark mark_iv "
                "open_interest volume"
            ).split()
        },
    ),
    "no prices": replace(CHAIN, bid=NOTHING, ask=NOTHING),
    "one strike": chain(n_strikes=1, expiries=EXPIRIES[:1]),
    "all crossed": replace(CHAIN, bid=CHAIN.ask, ask=CHAIN.bid),
    "all locked": replace(CHAIN, bid=CHAIN.ask),
    "all expired": chain(n_strikes=21, as_of=EXPIRIES[-1] + timedelta(hours=1)),
    "prices of whole coins": replace(CHAIN, bid=CHAIN.bid + 2.0, ask=CHAIN.ask + 2.0),
    "no forward in parity": replace(CHAIN, forward=CHAIN.forward * 1.03),
}


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_broken_chain_ends_inconclusive_with_a_reason_and_an_incident(name, two):
    for past in (Past(), two[1]):
        found = one_night(BROKEN[name], past, slot="2026-01-11")
        assert {v.status for v in found.verdicts} == {Status.INCONCLUSIVE}
        assert [v.model for v in found.verdicts] == ["market", "black", "svi"]
        market = found.verdicts[0]
        assert market.reason and {f.kind for f in market.findings} == {Kind.DATA}
        opened = [t.incident for t in found.transitions if t.event is Event.OPENED]
        assert opened and {i.cause for i in opened} <= {Cause.DATA, Cause.LIQUIDITY}
        # A wrong forward is worth a page tonight; what merely cannot be judged waits.
        wrong = name == "no forward in parity"
        assert {i.severity for i in opened} == {Severity.RED if wrong else Severity.AMBER}
        assert all(v.reason == f"no judgement: {market.reason}" for v in found.verdicts[1:])


def test_a_repeated_chain_is_stale_and_a_new_run(two):
    first, past = two
    again = replace(CHAIN, context=CHAIN.context)
    found = one_night(again, past, slot="2026-01-11")
    assert found.run.id != first.run.id
    assert found.verdicts[0].reason.startswith("stale")
    assert {v.status for v in found.verdicts} == {Status.INCONCLUSIVE}


def test_half_a_chain_after_a_whole_one_is_not_judged(two):
    _, past = two
    keep = CHAIN.strike < np.median(CHAIN.strike)
    half = replace(CHAIN, bid=np.where(keep, CHAIN.bid, np.nan))
    found = one_night(half, past, slot="2026-01-11")
    assert found.verdicts[0].status is Status.INCONCLUSIVE


def test_three_broken_nights_in_a_row_turn_red_and_the_first_good_one_ends_it():
    memory, told = NO_MEMORY, []
    for n in range(5):
        as_of = AS_OF + timedelta(days=n)
        whole = chain(n_strikes=21, as_of=as_of)
        nothing = np.full(len(whole), np.nan)
        snapshot = whole if n == 4 else replace(whole, bid=nothing)
        found = one_night(snapshot, memory.past, slot=as_of.date().isoformat())
        memory = remember(memory, found)
        told += [(n, t.event.value, t.incident.severity.value) for t in found.transitions]
    assert told == [
        (0, "opened", "amber"),
        (1, "seen", "amber"),
        (2, "escalated", "red"),
        (3, "seen", "red"),
        (4, "resolved", "red"),
    ]


def test_a_fit_stored_by_a_release_with_other_parameters_is_no_last_night(two, tomorrow):
    _, past = two
    old = {
        name: replace(fit, names=tuple(n for n in fit.names if not n.startswith("rho")))
        for name, fit in past.history.fits.items()
    }
    old = {
        n: replace(f, params=f.params[: len(f.names)], stderr=f.stderr[: len(f.names)])
        for n, f in old.items()
    }
    before = replace(past, history=replace(past.history, fits=old))
    found = one_night(tomorrow, before, slot="2026-01-11")
    assert {m.model for m in found.metrics if m.metric == "frozen_rmse_iv"} == {"black"}


def test_a_slice_drawn_through_a_handful_of_quotes_is_not_carried_into_the_next_night(tomorrow):
    front = CHAIN.expiry_ms == CHAIN.expiry_ms.min()
    # Of its strikes, 78,900 to 102,700, seven are quoted on the first night.
    few = front & (np.abs(CHAIN.strike - 90_000.0) > 4_000.0)
    thin = replace(CHAIN, bid=np.where(few, np.nan, CHAIN.bid))
    known = []
    for first in (CHAIN, thin):
        past = remember(NO_MEMORY, one_night(first)).past
        found = one_night(tomorrow, past, slot="2026-01-11")
        of_chain = [m for m in found.metrics if (m.metric, m.scope) == ("frozen_rmse_iv", "chain")]
        known.append({m.model: m.n for m in of_chain})
    # Too few for the five parameters of a slice of SVI, and enough for the one of Black's.
    assert known == [{"black": 63, "svi": 63}, {"black": 63, "svi": 42}]


# A story ----------------------------------------------------------------------------------------


def test_a_raised_left_wing_moves_the_left_wing_of_a_model_that_cannot_follow():
    def raised(k, tau):
        return skewed(k, tau) + 0.05 * (k / np.sqrt(tau) < -0.3)

    rules = replace(RULES, models=("black", "adhoc"))
    first = one_night(rules=rules)
    past = remember(NO_MEMORY, first).past
    bent = chain(raised, n_strikes=21, as_of=AS_OF + timedelta(days=1))
    straight = chain(n_strikes=21, as_of=AS_OF + timedelta(days=1))
    nights = [one_night(s, past, rules=rules, slot="2026-01-11") for s in (straight, bent)]

    def change(metric, model, scope):
        values = [
            next(
                m.value for m in n.metrics if (m.metric, m.model, m.scope) == (metric, model, scope)
            )
            for n in nights
        ]
        return values[1] - values[0]

    # Last night's model, all of it, lies 5 vol points too low where the wing was raised …
    assert change("frozen_bias_iv", "adhoc", "wing:put") < -0.02
    # … and where it was not, it lies where it lay.
    for wing in ("wing:centre", "wing:call"):
        assert abs(change("frozen_bias_iv", "adhoc", wing)) < 1e-3
    # Tonight's fit gives way on the left and pays on the other side: the model-free smile does not.
    assert change("bias_iv", "black", "wing:put") < change("bias_iv", "black", "wing:call") - 0.02
    assert change("rr25", None, "chain") < -0.02
    # The parabola that is read at the money reaches to the foot of the cliff.
    assert abs(change("atm_iv", None, "chain")) < 0.004
