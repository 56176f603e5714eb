"""A fault of the data is one incident, of cause data, whatever the models make of the chain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from monitor.assess import assess
from monitor.assessment import Rules, Stream
from monitor.incidents.base import Event
from monitor.market.snapshot import Snapshot
from monitor.recollect import NO_MEMORY, remember
from monitor.sandbox.generate import open_world
from monitor.verdict.base import Cause
from monitor.verdict.inventory import ModelUse
from tests.conftest import evening_ms

BROKEN = 2  # the first night that is
# Black's one vol an expiry is five points off any smile.
TOLERANT = Rules(models=("black",), inventory={"black": ModelUse("marking", max_rmse_iv=0.1)})
STRICT = replace(TOLERANT, inventory={"black": ModelUse("marking", max_rmse_iv=0.01)})


def lived(chains: list[Snapshot], later: Rules = STRICT) -> list[tuple[int, Event, Cause, str]]:
    """Return what happened to incidents, night by night; `later` rules hold from the second."""
    memory, told = NO_MEMORY, []
    for night, chain in enumerate(chains):
        rules = later if night else TOLERANT
        found = assess(
            chain, memory.past, rules, stream=Stream("deribit", "BTC"), slot=f"2026-01-{night:02d}"
        )
        told += [(night, t.event, t.incident.cause, t.incident.id) for t in found.transitions]
        memory = remember(memory, found)
    return told


@pytest.mark.parametrize("name", ["forward-off-20bp", "marks-wrong"])
def test_a_data_fault_world_makes_one_incident_of_cause_data(name: str) -> None:
    world = open_world(name, break_night=BROKEN)
    told = lived([world.snapshot("BTC", evening_ms(n)) for n in range(BROKEN + 3)], TOLERANT)
    assert {cause for _, _, cause, _ in told} == {Cause.DATA}
    assert len({id_ for *_, id_ in told}) == 1
    (night, event, *_), *later = told
    assert event is Event.OPENED
    assert night in (BROKEN, BROKEN + 1)  # twenty basis points, less what parity leaves open
    assert {e for _, e, *_ in later} <= {Event.SEEN, Event.HELD}


def crossed(chain: Snapshot) -> Snapshot:
    return replace(chain, bid=chain.ask, ask=chain.bid)


def halved(chain: Snapshot) -> Snapshot:
    return replace(chain, n_listed=3 * len(chain))


# A crossed chain leaves no quote to use, and is no second trouble of liquidity for that.
@pytest.mark.parametrize("fault", [crossed, halved])
def test_a_broken_chain_inhibits_what_the_models_would_say_of_it(
    fault: Callable[[Snapshot], Snapshot],
) -> None:
    world = open_world("calm")
    chains = [world.snapshot("BTC", evening_ms(n)) for n in range(6)]
    told = lived([fault(c) if n in (3, 4) else c for n, c in enumerate(chains)])
    # The model's own trouble opens on its second night, is not heard while the chain is broken, and
    # is where it was when it can be judged.
    assert [(n, e, cause) for n, e, cause, _ in told if n < 5] == [
        (2, Event.OPENED, Cause.MISSPECIFICATION),
        (3, Event.OPENED, Cause.DATA),
        (4, Event.SEEN, Cause.DATA),
    ]
    after = {(e, cause) for night, e, cause, _ in told if night == 5}
    assert after == {(Event.RESOLVED, Cause.DATA), (Event.HELD, Cause.MISSPECIFICATION)}
    assert len({id_ for *_, id_ in told}) == 2
