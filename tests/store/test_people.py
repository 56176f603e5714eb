"""What people say is kept with who said it and why, and changes what is told, not what is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from monitor.assessment import Rules
from monitor.conventions import to_ms
from monitor.diagnostics.base import MetricValue
from monitor.errors import UnknownNameError, UsageError
from monitor.incidents.base import Event
from monitor.incidents.matching import Matcher
from monitor.incidents.news import plan
from monitor.scoring import Score, score_all
from monitor.store import Store
from monitor.store.desk import acknowledge
from monitor.store.frames import alerts_frame, history_frame
from monitor.store.judgements import add_judgement, end_judgement, list_judgements
from monitor.store.news import gather
from monitor.store.precision import quarters
from monitor.store.silences import add_silence, end_silence, list_silences
from monitor.store.writer import write_assessment
from monitor.verdict.base import Severity, Status
from monitor.verdict.judgement import Judgement, JudgementKind
from tests.store.build import DAWN, make_assessment, make_event, wall

NOW = wall(10)
HOUR = timedelta(hours=1)


def written(store: Store, night: int = 0, severity: Severity = Severity.RED, **kw) -> None:
    """Store a night that opens an incident, as a live pass does."""
    event = make_event(Event.OPENED, night, severity=severity)
    found = make_assessment(night, expiries=1, strikes=2, transitions=(event,), **kw)
    write_assessment(store, found, wall=wall(night), tell=True)


def told(store: Store, at: datetime) -> list[tuple[str, str]]:
    """Gather the news as the desk would, and return what was told of which incident."""

    def decide(desk):
        options = {"silences": desk.silences, "owners": {"heston": "vol desk"}}
        chosen = plan(
            desk.waiting, desk.standing, told_at=desk.told_at, now=at, repeat=24 * HOUR, **options
        )
        return chosen, []

    return [(i.incident.id, str(i.event)) for i in gather(store, decide, now=at).items]


# --- silences -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "matcher",
    [
        Matcher(model=("heston",)),
        Matcher(owner=("vol desk",), severity=("red", "amber")),
        Matcher(incident=("heston",)),
        Matcher(cause=("misspecification",), underlying=("BTC",), venue=("deribit",)),
    ],
    ids=str,
)
def test_a_silence_keeps_news_back_until_it_is_over_and_stores_the_same(
    store: Store, matcher: Matcher
) -> None:
    add_silence(store, matcher, author="ann", reason="known", until=NOW + HOUR, wall=wall(0))
    written(store)
    before = history_frame(store, "rmse"), alerts_frame(store)
    assert told(store, NOW) == []
    assert told(store, NOW + HOUR) == [("heston-0000", "opened")]  # over, and it still stands
    after = history_frame(store, "rmse"), alerts_frame(store)
    for a, b in zip(before, after, strict=True):
        assert a.equals(b)


@pytest.mark.parametrize(
    "matcher",
    [Matcher(model=("svi",)), Matcher(severity=("amber",)), Matcher(incident=("x",))],
    ids=str,
)
def test_a_silence_of_something_else_keeps_nothing_back(store: Store, matcher: Matcher) -> None:
    add_silence(store, matcher, author="ann", reason="known", until=NOW + HOUR, wall=wall(0))
    written(store)
    assert told(store, NOW) == [("heston-0000", "opened")]


def test_a_silence_taken_back_is_over(store: Store) -> None:
    made = add_silence(
        store, Matcher(model=("heston",)), author="ann", reason="r", until=NOW + HOUR, wall=wall(0)
    )
    written(store)
    assert told(store, wall(5)) == []
    end_silence(store, made.id[:4], author="bob", wall=wall(6))
    assert told(store, wall(7)) == [("heston-0000", "opened")]
    with pytest.raises(UnknownNameError, match="silence that holds"):
        end_silence(store, made.id, author="bob", wall=wall(8))
    (kept,) = list_silences(store)
    assert (kept.author, kept.reason, kept.ended) == ("ann", "r", wall(6))


def test_a_silence_needs_a_subject_an_author_a_reason_and_an_end_to_come(store: Store) -> None:
    good = {"author": "ann", "reason": "r", "until": NOW + HOUR, "wall": NOW}
    model = Matcher(model=("heston",))
    for matcher, change, said in (
        (Matcher(), {}, "say of what"),
        (model, {"author": " "}, "an author and a reason"),
        (model, {"reason": ""}, "an author and a reason"),
        (model, {"until": NOW}, "over before it begins"),
    ):
        with pytest.raises(UsageError, match=said):
            add_silence(store, matcher, **{**good, **change})
    assert list_silences(store) == ()


def test_a_red_incident_that_nobody_takes_up_is_told_again_and_an_acknowledged_one_is_not(
    store: Store,
) -> None:
    written(store)
    assert told(store, NOW) == [("heston-0000", "opened")]
    assert told(store, NOW + 12 * HOUR) == []
    assert told(store, NOW + 24 * HOUR) == [("heston-0000", "reminded")]
    assert told(store, NOW + 30 * HOUR) == []
    acknowledge(store, "heston-0000", author="ann", note="", wall=NOW + 31 * HOUR)
    assert told(store, NOW + 48 * HOUR) == []


# --- the report ---------------------------------------------------------------------------------


def test_the_report_counts_pages_precision_and_time_from_the_first_live_pass(
    store: Store,
) -> None:
    for night, severity in ((0, Severity.RED), (1, Severity.RED), (2, Severity.AMBER)):
        written(store, night, severity)
    assert len(told(store, NOW)) == 3
    acknowledge(store, "heston-0000", author="ann", note="", wall=NOW + HOUR, verdict="true")
    acknowledge(store, "heston-0001", author="ann", note="", wall=NOW + 3 * HOUR, verdict="false")
    told(store, NOW + 30 * HOUR)
    later = datetime(2026, 11, 1, tzinfo=UTC)
    first, second = quarters(store, nights_between_false_pages=46, now=later)
    assert (first.name, second.name) == ("2026-Q3", "2026-Q4")
    assert (first.pages, first.true, first.false, first.unjudged) == (2, 1, 1, 0)
    assert (first.precision, first.ambers, first.hours_to_acknowledge) == (0.5, 1, 2.0)
    # The first pass was written on 1 July at 06:00: a quarter of a day is not the desk's.
    assert first.days == pytest.approx(92 - 0.25)
    assert first.budget == pytest.approx(91.75 / 46)
    assert (second.pages, second.precision, second.days) == (0, None, 31.0)


def test_nothing_told_and_nothing_live_is_nothing_to_report(store: Store) -> None:
    found = make_assessment(0, expiries=1, strikes=2)
    write_assessment(store, found, wall=wall(0), tell=False)
    assert quarters(store, nights_between_false_pages=365, now=NOW) == ()


def test_the_desks_last_word_on_a_page_is_its_verdict(store: Store) -> None:
    written(store)
    told(store, NOW)
    for hour, verdict in ((1, "true"), (2, None), (3, "known")):
        at = NOW + hour * HOUR
        acknowledge(store, "heston-0000", author="ann", note="", wall=at, verdict=verdict)
    (quarter,) = quarters(store, nights_between_false_pages=365, now=NOW + 5 * HOUR)
    assert (quarter.known, quarter.true, quarter.hours_to_acknowledge) == (1, 0, 1.0)


# --- judgements ---------------------------------------------------------------------------------


def judgement(kind: JudgementKind, subject: str, *, since: int, until: int, **kw) -> Judgement:
    spans = [to_ms(DAWN + timedelta(days=n, hours=-1)) for n in (since, until)]
    kw = {"model": "heston", **kw}
    return Judgement("", kind, subject, *spans, author="ann", reason="because", **kw)


def test_a_judgement_is_kept_as_it_was_said_and_as_it_was_known(store: Store) -> None:
    said = judgement(JudgementKind.TOLERANCE, "rmse_iv", since=0, until=9, value=0.08)
    made = add_judgement(store, said, wall=wall(0))
    ended = end_judgement(
        store, made.id[:5], author="bob", reason="over", until_ms=said.since_ms + 1, wall=wall(5)
    )
    assert list_judgements(store) == (ended,)
    assert ended.until_ms == said.since_ms + 1
    assert list_judgements(store, as_known=wall(4)) == (made,)
    assert list_judgements(store, as_known=wall(0) - HOUR) == ()
    with pytest.raises(UsageError, match="has ended on 2026-01-01 already"):
        end_judgement(store, made.id, author="b", reason="", until_ms=said.until_ms, wall=wall(6))
    with store.reading() as connection:
        row = connection.execute(text("SELECT author, reason, until FROM judgement_log")).one()
    assert tuple(row) == ("ann", "because", "2026-01-01T19:00:00.001Z")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"author": " "}, "an author and a reason"),
        ({"reason": ""}, "an author and a reason"),
        ({"until": 0}, "before it begins"),
    ],
)
def test_a_judgement_that_nobody_could_read_in_a_year_is_refused(
    store: Store, change: dict, said: str
) -> None:
    until = change.get("until", 5)
    good = judgement(JudgementKind.RESTRICT, "hedging", since=0, until=until)
    signed = {k: v for k, v in change.items() if k != "until"}
    with pytest.raises(UsageError, match=said):
        add_judgement(store, replace(good, **signed), wall=wall(0))
    assert list_judgements(store) == ()


def nights(store: Store, values: list[float], metric: str = "rmse_iv", **kw) -> None:
    """Store nights with one number of Heston's."""
    for night, value in enumerate(values):
        number = MetricValue(metric, "heston", kw.get("scope", "chain"), value, "vol", 100)
        quotes = MetricValue("n_quotes", None, "chain", 100.0, "count", 100)
        status = kw.get("status", Status.ADEQUATE)
        found = make_assessment(
            night, expiries=1, strikes=2, metrics=(number, quotes), status=status
        )
        write_assessment(store, found, wall=wall(kw.get("first", 0) + night), tell=True)


def scored(store: Store, said: Judgement, at: int) -> Score:
    add_judgement(store, said, wall=wall(at))
    (score,) = score_all(store, Rules(), cadence="day")
    return score


@pytest.mark.parametrize(
    ("levels", "verdict", "mattered"),
    [
        ([0.07] * 3 + [0.04] * 6, "right", 3),  # it passed
        ([0.07] * 9, "wrong", 9),  # it lasted: the tolerance was no answer
        ([0.04] * 9, "not needed", 0),
        ([0.09] * 9, "not needed", 0),  # told all the same: the new one was crossed, too
    ],
)
def test_a_widened_tolerance_is_held_against_what_came(
    store: Store, levels: list[float], verdict: str, mattered: int
) -> None:
    nights(store, levels)  # Heston's own tolerance is 6 vol points
    said = judgement(JudgementKind.TOLERANCE, "rmse_iv", since=0, until=9, value=0.08)
    found = scored(store, said, at=0)
    assert (found.verdict, found.mattered, found.nights) == (verdict, mattered, 9)


@pytest.mark.parametrize(
    ("status", "verdict"), [(Status.WATCH, "right"), (Status.ADEQUATE, "not needed")]
)
def test_a_restriction_is_held_against_the_board(
    store: Store, status: Status, verdict: str
) -> None:
    nights(store, [0.04] * 4, status=status)
    found = scored(store, judgement(JudgementKind.RESTRICT, "hedging", since=0, until=9), at=0)
    assert (found.verdict, found.nights) == (verdict, 4)


def test_a_reference_begun_anew_is_scored_by_the_nights_judged_under_it(store: Store) -> None:
    scope = "headline:rmse_iv"
    nights(store, [5.0] * 3, "change_score", scope=scope)  # by the old reference
    said = judgement(JudgementKind.REBASE, "", since=0, until=365)
    found = scored(store, said, at=20)
    assert (found.verdict, found.mattered) == ("open", None)
    assert "3 of 20 nights learnt since" in found.found
    for night in range(3, 8):
        number = MetricValue("change_score", "heston", scope, 0.3, "limits", 60)
        assessed = make_assessment(night, expiries=1, strikes=2, metrics=(number,))
        write_assessment(store, assessed, wall=wall(20 + night), tell=True)
    (found,) = score_all(store, Rules(), cadence="day")
    assert (found.verdict, found.found) == (
        "right",
        "0 alarms in 5 nights judged against what came after",
    )


def test_a_prior_of_zero_is_a_prior(store: Store) -> None:
    nights(store, [0.04] * 4)
    # The builder draws every parameter from a normal of mean 0.5 and deviation 0.1.
    far = judgement(JudgementKind.PRIOR, "rho", since=0, until=9, value=0.0, spread=0.01)
    found = scored(store, far, at=0)
    assert (found.verdict, found.nights) == ("wrong", 4)
    assert "on 0% of 4 nights" in found.found


def test_a_word_changed_nothing_and_says_so(store: Store) -> None:
    nights(store, [0.04])
    found = scored(
        store, judgement(JudgementKind.ANNOTATE, "a word", since=0, until=2, model=None), at=0
    )
    assert (found.verdict, found.found) == ("open", "a word, it changed nothing")
