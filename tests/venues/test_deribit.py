"""The Deribit venue against the loopback exchange, through the unmodified client."""

import asyncio
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from monitor.archive import list_snapshots, read_refs, read_snapshot, write_snapshot
from monitor.conventions import MS_PER_DAY
from monitor.errors import VenueMalformed, VenueRefused, VenueUnavailable
from monitor.sandbox import ArchiveMarket, Fault
from monitor.venues import VENUES, DeribitSettings, open_venue
from tests.sandbox.rooms import MOMENT_MS, fetch, no_sleep, sandbox, world

REAL = (
    Path(__file__).resolve().parents[3]
    / "shared"
    / "market-data"
    / "deribit_dev_20251230_20260531.parquet"
)
BOOK = "get_book_summary_by_currency"
CHAIN = {"path": BOOK, "params": {"kind": "option"}}


@pytest.mark.parametrize("underlying", ["BTC", "ETH"])
def test_a_fetch_gives_the_world_bit_for_bit_context_included(underlying):
    with sandbox() as running:
        fetched = fetch(running, underlying)
    assert fetched.context.missing == ()
    assert fetched.digest == world().snapshot(underlying, MOMENT_MS).digest


def test_a_chain_is_one_bulk_request_and_a_pass_makes_nine():
    with sandbox() as running:
        fetch(running)
        asked = Counter((r.method, r.params.get("kind")) for r in running.requests)
    assert asked[BOOK, "option"] == 1
    assert sum(asked.values()) == 9


def test_windows_end_at_the_venues_clock_not_at_the_machines():
    with sandbox() as running:
        fetched = fetch(running)
        ends = {r.params["end_timestamp"] for r in running.requests if "end_timestamp" in r.params}
    assert ends == {str(MOMENT_MS)}
    assert len(fetched.context.candles_1h) == 60 * 24 + 1
    assert len(fetched.context.candles_1m) == 24 * 60 + 1
    assert len(fetched.context.dvol) == 30 * 24
    assert len(fetched.context.funding) == 30 * 24


@pytest.mark.parametrize("testnet", [True, False])
def test_a_venue_that_calls_itself_a_test_net_is_simulated(testnet):
    with sandbox(testnet=testnet) as running:
        assert fetch(running).context.simulated is testnet


@pytest.mark.skipif(not REAL.exists(), reason=f"{REAL} is not there")
@pytest.mark.parametrize(("underlying", "position"), [("BTC", 0), ("ETH", 301), ("BTC", 603)])
def test_a_recorded_chain_keeps_its_digest_over_the_wire(underlying, position):
    refs = [ref for ref in list_snapshots(REAL) if ref.underlying == underlying]
    recorded = next(read_refs([refs[position]]))
    with sandbox(market=played(recorded), now_ms=recorded.as_of_ms + 90_000) as running:
        fetched = fetch(running, underlying)
    assert fetched.chain_digest == recorded.chain_digest
    assert fetched.as_of_ms == recorded.as_of_ms
    assert fetched.venue_now_ms == recorded.as_of_ms + 90_000
    assert fetched.n_listed == len(recorded)
    # Recorded without candles, funding and volatility index: absent, and never made up.
    assert {r.subject for r in fetched.context.missing} == {
        "candles_1h",
        "candles_1m",
        "funding",
        "dvol",
        "perpetual_mark",
    }


class played:  # noqa: N801  reads as what it does
    """One recorded chain as a market, without opening the archive again at every question."""

    def __init__(self, chain):
        self._chain = chain
        self.underlyings = (chain.underlying,)

    def chain(self, underlying, now_ms):
        return self._chain

    index_price = ArchiveMarket.index_price
    perpetual_mark = ArchiveMarket.perpetual_mark
    future_marks = ArchiveMarket.future_marks
    candles = ArchiveMarket.candles
    funding = ArchiveMarket.funding
    dvol = ArchiveMarket.dvol


def test_a_fetched_night_survives_the_archive_and_is_served_again_from_it(tmp_path):
    with sandbox() as running:
        fetched = fetch(running)
    write_snapshot(tmp_path, fetched)
    with sandbox(market=ArchiveMarket(tmp_path)) as running:
        again = fetch(running)
    assert again.digest == fetched.digest


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        (Fault("html", **CHAIN), VenueMalformed, "no JSON object.*DOCTYPE html"),
        (Fault("empty_body", **CHAIN), VenueMalformed, "an empty body"),
        (Fault("empty_object", **CHAIN), VenueMalformed, "no result in the answer"),
        (Fault("null_result", **CHAIN), VenueMalformed, "no result in the answer"),
        (Fault("truncated", **CHAIN), VenueMalformed, "no JSON object but .* characters"),
        (Fault("half", amount=0.0, **CHAIN), VenueMalformed, "an empty chain, 0 rows"),
        (Fault("half", amount=0.4, **CHAIN), VenueMalformed, r"half a chain, \d+ of \d+.*40%.*50%"),
        (Fault("server_error", **CHAIN), VenueUnavailable, "503.*asked 2 times"),
        (Fault("server_error", amount=500, **CHAIN), VenueUnavailable, "500.*asked 2 times"),
        (Fault("server_error", amount=404, **CHAIN), VenueRefused, "404"),
        (Fault("rate_limit", **CHAIN), VenueUnavailable, "too_many_requests.*asked 2 times"),
        (Fault("maintenance", **CHAIN), VenueUnavailable, "system_maintenance.*OnMaintenance"),
        (Fault("dropped", **CHAIN), VenueUnavailable, "asked 2 times"),
        (Fault("cut_off", **CHAIN), VenueUnavailable, "asked 2 times"),
    ],
    ids=lambda value: f"{value.kind}-{value.amount}" if isinstance(value, Fault) else None,
)
def test_each_broken_answer_has_its_error(fault, error, message):
    with sandbox(fault) as running, pytest.raises(error, match=message) as caught:
        fetch(running, attempts=2)
    assert type(caught.value) is error
    assert caught.value.__traceback__ is not None


def test_silence_is_unavailable_within_the_time_out():
    with (
        sandbox(Fault("timeout", **CHAIN)) as running,
        pytest.raises(VenueUnavailable, match="RequestTimeout"),
    ):
        fetch(running, attempts=1, timeout_s=0.2)


def test_nobody_listening_is_unavailable():
    with sandbox() as running:
        url = running.url
    with pytest.raises(VenueUnavailable, match="asked 2 times"):
        fetch(running, url=url, attempts=2)


def test_an_underlying_that_is_not_listed_is_refused_and_not_asked_again():
    with sandbox() as running:
        with pytest.raises(VenueRefused, match="invalid currency"):
            fetch(running, "DOGE")
        assert len(running.requests) == 1


@pytest.mark.parametrize("kind", ["dropped", "rate_limit", "server_error", "maintenance"])
def test_what_heals_is_asked_until_it_does(kind):
    # The transport sends a GET again by itself on one drop: three in a row reach our own retry.
    with sandbox(Fault(kind, times=3, **CHAIN)) as running:
        fetched = fetch(running, attempts=4)
        asked = sum(r.method == BOOK and r.params["kind"] == "option" for r in running.requests)
    assert asked == 4
    assert fetched.digest == world().snapshot("BTC", MOMENT_MS).digest


@pytest.mark.parametrize(
    ("path", "subject", "kind", "reason"),
    [
        ("get_time", "time", "html", "malformed"),
        ("get_instruments", "instruments", "empty_object", "malformed"),
        ("get_index_price", "index_price", "maintenance", "unavailable"),
        ("get_tradingview_chart_data", "candles_1h", "null_result", "malformed"),
        ("get_tradingview_chart_data", "candles_1m", "server_error", "unavailable"),
        ("get_funding_rate_history", "funding", "truncated", "malformed"),
        ("get_volatility_index_data", "dvol", "rate_limit", "unavailable"),
    ],
)
def test_a_missing_part_is_on_record_and_never_costs_the_chain(path, subject, kind, reason):
    with sandbox(Fault(kind, path=path)) as running:
        fetched = fetch(running, attempts=1)
    assert fetched.chain_digest == world().chain("BTC", MOMENT_MS).chain_digest
    found = {(r.stage, r.reason, r.subject) for r in fetched.context.missing}
    assert ("context", reason, subject) in found


def test_broken_futures_cost_the_marks_only():
    with sandbox(Fault("null_result", path=BOOK, params={"kind": "future"})) as running:
        fetched = fetch(running, attempts=1)
    assert fetched.context.perpetual_mark is None
    assert [r.subject for r in fetched.context.missing] == ["futures"]


def test_yesterdays_chain_is_an_answer_with_its_age_visible():
    with sandbox(Fault("stale", **CHAIN)) as running:
        fetched = fetch(running)
    assert fetched.venue_now_ms - fetched.as_of_ms == MS_PER_DAY
    yesterday = world().chain("BTC", MOMENT_MS - MS_PER_DAY)
    assert fetched.chain_digest == yesterday.chain_digest


def test_more_than_half_a_chain_is_kept_with_its_coverage():
    with sandbox(Fault("half", amount=0.8, **CHAIN)) as running:
        fetched = fetch(running)
    assert len(fetched) / fetched.n_listed == pytest.approx(0.8, abs=1e-3)


def test_crossed_quotes_come_through_for_cleaning_to_reject():
    with sandbox(Fault("crossed", amount=0.1, **CHAIN)) as running:
        fetched = fetch(running)
    assert np.mean(fetched.bid > fetched.ask) == pytest.approx(0.1, abs=0.02)


def test_options_missing_from_the_venues_list_are_read_by_their_names():
    with sandbox(Fault("listing_day", path="get_instruments", amount=0.1)) as running:
        fetched = fetch(running)
    assert fetched.chain_digest == world().chain("BTC", MOMENT_MS).chain_digest
    assert fetched.n_listed < len(fetched)


def test_the_venues_clock_is_asked_from_the_venue():
    async def now(url):
        settings = DeribitSettings(url=url, request_gap_ms=0)
        rng = np.random.default_rng(0)
        async with open_venue("deribit", settings, rng=rng, sleep=no_sleep) as venue:
            return await venue.now_ms()

    with sandbox() as running:
        assert asyncio.run(now(running.url)) == MOMENT_MS


def test_the_archive_gives_back_what_was_fetched(tmp_path):
    with sandbox() as running:
        fetched = fetch(running, "ETH")
    assert read_snapshot(write_snapshot(tmp_path, fetched)).digest == fetched.digest


def test_every_registered_venue_has_settings_that_need_no_arguments():
    assert set(VENUES) == {"deribit", "recorded"}
    for _, kind in VENUES.items():
        assert kind.settings() == kind.settings()
        assert kind.summary
