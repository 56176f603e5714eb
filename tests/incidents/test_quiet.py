"""On quiet nights the desk is left in peace, within the budget that it asked for."""

from __future__ import annotations

import pytest

from tests.incidents.quiet import STREAMS, live

LEARNT = 60  # nights before which nothing is red: see `DriftRules.settled_nights`


@pytest.mark.slow  # 407 s of one core: no page, no amber
@pytest.mark.timeout(3600)
def test_a_quiet_year_of_three_venues_two_underlyings_and_eleven_models_stays_in_budget() -> None:
    told = list(live(LEARNT + 365, STREAMS, seed=1))
    pages = [t for t in told if t.is_page]
    # The budget is one false page a year for the whole desk. Of a Poisson number of mean one, more
    # than three has a chance of 1.9 %.
    assert len(pages) <= 3
    assert all(t.night >= LEARNT for t in pages)


def test_the_same_nights_page_once_where_a_model_breaks() -> None:
    """Silence is no deafness: the simulation that is quiet above is heard when it is not."""
    told = list(live(LEARNT + 12, STREAMS[:1], seed=1, models=2, broken=LEARNT + 4))
    pages = [t for t in told if t.is_page]
    assert len({t.incident.id for t in told}) == len({t.incident.id for t in pages}) == 1
    assert LEARNT + 4 <= pages[0].night <= LEARNT + 8
    assert len(pages) <= 2  # opened, and once more if the other model joins later
