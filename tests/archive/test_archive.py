"""What is written comes back; what others wrote is read or refused by name."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from monitor.archive import list_snapshots, read_archive, read_snapshot, reader, write_snapshot
from monitor.archive.layout import context_path
from monitor.conventions import MS_PER_DAY
from monitor.errors import ArchiveError, MonitorError, UsageError
from monitor.market.snapshot import CANDLE_COLUMNS, MarketContext, Snapshot, TimeSeries
from monitor.outcome import Rejection

AS_OF = 1772841600000  # 7 Mar 2026 00:00 UTC
EXPIRY = 1774598400000  # 27 Mar 2026 08:00 UTC
REAL = (
    Path(__file__).resolve().parents[3]
    / "shared"
    / "market-data"
    / "deribit_dev_20251230_20260531.parquet"
)
needs_real_chains = pytest.mark.skipif(not REAL.exists(), reason=f"{REAL} is not there")


def context():
    rng = np.random.default_rng(1)
    hours = AS_OF + 3_600_000 * np.arange(-48, 0)
    candles = TimeSeries(hours, CANDLE_COLUMNS, rng.normal(71e3, 300, (48, 5)))
    return MarketContext(
        index_price=70_987.654321,
        perpetual_mark=71_001.5,
        future_names=("BTC-27MAR26",),
        future_expiry_ms=np.array([EXPIRY]),
        future_mark=np.array([71_234.5]),
        candles_1h=candles,
        funding=TimeSeries(hours[:5], ("value",), np.array([[1e-5], [np.nan], [0], [-2e-6], [0]])),
        simulated=True,
        missing=(Rejection("context", "unavailable", "dvol", 'said "no", twice'),),
    )


def snapshot(as_of_ms=AS_OF, **changes):
    strikes = np.repeat(np.arange(60e3, 82e3, 2e3), 2)
    n = len(strikes)
    is_call = np.tile([False, True], n // 2)
    forward = 71_012.34567890123
    rng = np.random.default_rng(7)
    mark = np.maximum(np.where(is_call, 1 - strikes / forward, strikes / forward - 1), 0) + 0.01
    fields = {
        "venue": "deribit",
        "underlying": "BTC",
        "as_of_ms": as_of_ms,
        "price_unit": "coin",
        "instrument": tuple(
            f"BTC-27MAR26-{s:.0f}-{'C' if c else 'P'}"
            for s, c in zip(strikes, is_call, strict=True)
        ),
        "underlying_index": ("BTC-27MAR26",) * n,
        "expiry_ms": np.full(n, EXPIRY),
        "is_call": is_call,
        "strike": strikes,
        "forward": np.full(n, forward),
        "bid": np.where(rng.random(n) < 0.1, np.nan, mark - 0.0005),
        "ask": mark + 0.0005,
        "mark": mark,
        "mark_iv": rng.uniform(0.4, 0.9, n),
        "open_interest": rng.uniform(0, 100, n),
        "volume": np.full(n, np.nan),
        "index_price": 70_990.1,
        "n_listed": n,
        "venue_now_ms": as_of_ms + 137,
        "context": context(),
    }
    return Snapshot(**(fields | changes))


def frame(chain=None):
    """Return a chain as another recorder would write it."""
    chain = chain or snapshot()
    n = len(chain)
    return pd.DataFrame(
        {
            "ts": pd.to_datetime(np.full(n, chain.as_of_ms), unit="ms", utc=True),
            "venue": chain.venue,
            "underlying": chain.underlying,
            "instrument": chain.instrument,
            "expiry": pd.to_datetime(chain.expiry_ms, unit="ms", utc=True),
            "strike": chain.strike,
            "cp": np.where(chain.is_call, "C", "P"),
            "bid": chain.bid,
            "ask": chain.ask,
            "mark": chain.mark,
            "mark_iv": chain.mark_iv,
            "forward": chain.forward,
            "open_interest": chain.open_interest,
            "volume": chain.volume,
            "underlying_index": chain.underlying_index,
            "price_unit": chain.price_unit,
        }
    )


def written(folder, rows, name="chain.parquet"):
    path = folder / name
    rows.to_parquet(path, compression="zstd")
    return path


@pytest.mark.parametrize(
    "chain",
    [
        snapshot(),
        snapshot(context=MarketContext(), index_price=None, n_listed=None, venue_now_ms=None),
        snapshot(mark_iv=np.full(22, np.nan), bid=np.full(22, np.nan)),
    ],
    ids=["full", "bare", "absent"],
)
def test_a_snapshot_comes_back_bit_for_bit(tmp_path, chain):
    again = read_snapshot(write_snapshot(tmp_path, chain))
    assert again.digest == chain.digest
    assert again.context.missing == chain.context.missing
    assert again.context.candles_1h.columns == CANDLE_COLUMNS
    assert (again.index_price, again.n_listed, again.venue_now_ms) == (
        chain.index_price,
        chain.n_listed,
        chain.venue_now_ms,
    )


def test_an_empty_chain_comes_back(tmp_path):
    chain = snapshot()
    nothing = {
        name: getattr(chain, name)[:0]
        for name in "instrument underlying_index expiry_ms is_call strike forward bid ask mark "
        "mark_iv open_interest volume".split()
    }
    empty = snapshot(**nothing)
    assert read_snapshot(write_snapshot(tmp_path, empty)).digest == empty.digest


def test_the_path_is_venue_underlying_day_time_and_digest(tmp_path):
    chain = snapshot(AS_OF + 3_723_000)
    path = write_snapshot(tmp_path, chain)
    assert path.relative_to(tmp_path).as_posix() == (
        f"deribit/BTC/2026-03-07/010203-{chain.digest[:12]}.parquet"
    )
    assert context_path(path).exists()


def test_writing_twice_is_harmless(tmp_path):
    first, second = write_snapshot(tmp_path, snapshot()), write_snapshot(tmp_path, snapshot())
    assert first == second
    assert len(list(tmp_path.rglob("*"))) == 5  # three folders, the chain and its context


def test_a_write_that_fails_leaves_nothing_and_says_why(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("monitor.archive.writer.pq.write_table", full)
    with pytest.raises(ArchiveError, match="No space left on device"):
        write_snapshot(tmp_path, snapshot())
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_a_folder_is_read_in_time_order_and_by_day(tmp_path):
    times = [AS_OF + MS_PER_DAY * d + 3_600_000 * h for d in (1, 0, 2) for h in (20, 4)]
    for t in times:
        write_snapshot(tmp_path, snapshot(t))
    assert [r.as_of_ms for r in list_snapshots(tmp_path)] == sorted(times)
    every = [s.as_of_ms for s in read_archive(tmp_path, every="snapshot")]
    assert every == sorted(times)
    day = [s.as_of_ms for s in read_archive(tmp_path)]
    assert day == [AS_OF + MS_PER_DAY * d + 3_600_000 * 20 for d in (0, 1, 2)]


def test_since_is_included_until_is_not_and_underlyings_are_chosen(tmp_path):
    for d in range(4):
        write_snapshot(tmp_path, snapshot(AS_OF + MS_PER_DAY * d))
        write_snapshot(tmp_path, snapshot(AS_OF + MS_PER_DAY * d, underlying="ETH"))
    got = read_archive(
        tmp_path,
        underlying="ETH",
        since=datetime(2026, 3, 8, tzinfo=UTC),
        until=datetime(2026, 3, 10, tzinfo=UTC),
    )
    assert [(s.underlying, s.as_of.day) for s in got] == [("ETH", 8), ("ETH", 9)]


def test_a_snapshot_in_two_files_is_given_once(tmp_path):
    path = write_snapshot(tmp_path / "a", snapshot())
    write_snapshot(tmp_path / "b", snapshot())
    assert len(list(read_archive([tmp_path, path], every="snapshot"))) == 1


def test_one_file_of_many_unsorted_rows_reads_as_its_snapshots(tmp_path):
    chains = [snapshot(AS_OF + MS_PER_DAY * d, context=MarketContext()) for d in range(3)]
    rows = pd.concat([frame(c) for c in chains]).sample(frac=1, random_state=1)
    got = list(read_archive(written(tmp_path, rows), every="snapshot"))
    assert [s.chain_digest for s in got] == [c.chain_digest for c in chains]
    assert [s.as_of_ms for s in got] == [c.as_of_ms for c in chains]


def test_files_that_overlap_in_time_are_merged_and_read_once_each(tmp_path, monkeypatch):
    paths = []
    for underlying in ("BTC", "ETH"):
        chains = [
            snapshot(AS_OF + MS_PER_DAY * d, underlying=underlying, context=MarketContext())
            for d in range(5)
        ]
        rows = pd.concat([frame(c) for c in chains])
        paths.append(written(tmp_path, rows, f"{underlying}.parquet"))
    passes = []
    through = reader._rows_of
    monkeypatch.setattr(reader, "_rows_of", lambda *a: passes.append(a[0]) or through(*a))
    got = [(s.as_of.day, s.underlying) for s in read_archive(paths, every="snapshot")]
    assert got == [(7 + d, u) for d in range(5) for u in ("BTC", "ETH")]
    assert len(passes) == 2


def test_a_file_that_was_replaced_is_read_anew(tmp_path):
    path = written(tmp_path, frame(snapshot(context=MarketContext())))
    assert len(list_snapshots(path)) == 1
    both = [frame(snapshot(AS_OF + MS_PER_DAY * d, context=MarketContext())) for d in range(2)]
    assert len(list_snapshots(written(tmp_path, pd.concat(both)))) == 2


def test_expired_options_are_kept_for_cleaning_to_reject(tmp_path):
    late = snapshot(EXPIRY + 1)
    assert len(next(read_archive(written(tmp_path, frame(late))))) == len(late)


def test_rows_repeated_exactly_are_kept_once_and_reported(tmp_path):
    rows = pd.concat([frame(), frame().iloc[[3, 5]]])
    got = read_snapshot(written(tmp_path, rows))
    assert got.chain_digest == snapshot().chain_digest
    (report,) = got.context.missing
    assert (report.stage, report.reason) == ("archive", "duplicate_rows")
    assert report.detail.startswith("2 rows")


def two_rows_for_one(rows):
    return pd.concat([rows, rows.iloc[[3]].assign(ask=0.5)])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda r: r.drop(columns=["forward", "cp"]), r"no column cp, forward.*interfaces.md"),
        (lambda r: r.assign(mark_iv=r.mark_iv * 100), r"median of \d\d.*vols are decimals"),
        (
            lambda r: r.assign(mark=r.mark * r.forward, bid=r.bid * r.forward),
            r"price_unit is 'coin'.*misses parity.*'usd'",
        ),
        (lambda r: r.assign(price_unit="usd"), r"price_unit is 'usd'.*misses parity.*'coin'"),
        (
            lambda r: r[r.cp == "C"].assign(mark=lambda c: c.mark * c.forward),
            r"worth .* coins.*dollars",
        ),
        (two_rows_for_one, r"two rows for BTC-27MAR26-62000-C differ in ask: .* and 0\.5"),
        (lambda r: r.assign(strike=r.strike.where(r.index != 4)), r"strike is nan for BTC-27MAR26"),
        (lambda r: r.assign(forward=0.0), r"forward is 0\.0 .*22 such rows"),
        (lambda r: r.assign(cp="call"), r"cp is 'call' .*must be C or P"),
        (lambda r: r.assign(price_unit="eur"), r"price_unit is 'eur'"),
        (lambda r: r.iloc[:0], r"no rows"),
        (lambda r: r.assign(strike=r.strike.astype(str)), r"strike is .*string.*must be a number"),
        (lambda r: r.assign(ts=r.ts.dt.tz_localize(None)), r"ts is timestamp.*time zone UTC"),
        (lambda r: r.assign(ts=r.ts.where(r.index != 4)), r"1 rows have no ts"),
        (
            lambda r: r.assign(instrument=r.instrument.where(r.index != 4)),
            r"1 rows have no instrument",
        ),
    ],
)
def test_a_bad_archive_is_refused_with_what_was_found(tmp_path, spoil, message):
    path = written(tmp_path, spoil(frame()))
    with pytest.raises(ArchiveError, match=message) as caught:
        list(read_archive(path))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9])
def test_a_half_written_file_is_refused(tmp_path, part):
    path = written(tmp_path, frame())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(ArchiveError, match="not a whole Parquet file"):
        list(read_archive(path))


def test_a_damaged_byte_is_refused_or_changes_nothing(tmp_path):
    chain = snapshot()
    path = write_snapshot(tmp_path, chain)
    whole = bytearray(path.read_bytes())
    found = 0
    for position in range(4, len(whole), 197):
        broken = whole.copy()
        broken[position] ^= 0xFF
        path.write_bytes(bytes(broken))
        try:
            same = read_snapshot(path).digest == chain.digest
        except MonitorError:
            found += 1
        else:
            assert same
    assert found > 0


def test_a_changed_or_lost_context_is_noticed(tmp_path):
    path = write_snapshot(tmp_path / "a", snapshot())
    other = write_snapshot(tmp_path / "b", snapshot(context=MarketContext()))
    context_path(path).write_bytes(context_path(other).read_bytes())
    with pytest.raises(ArchiveError, match="was written with"):
        read_snapshot(path)
    context_path(path).unlink()
    with pytest.raises(ArchiveError, match=r"context .* is gone"):
        read_snapshot(path)


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(ArchiveError, match=r"nowhere.*no such file"):
        list_snapshots(tmp_path / "nowhere")
    with pytest.raises(ArchiveError, match=r"no snapshot in"):
        list_snapshots(tmp_path)
    write_snapshot(tmp_path, snapshot())
    with pytest.raises(UsageError, match=r"'day' or 'snapshot', was 'hour'"):
        read_archive(tmp_path, every="hour")


@needs_real_chains
def test_the_recorded_chains_are_indexed_and_read_as_they_are():
    refs = list_snapshots(REAL)
    assert len(refs) == 1208  # 604 snapshots of BTC and ETH
    assert sum(ref.n_rows for ref in refs) == 973_412
    crash = list(
        read_archive(
            REAL, since=datetime(2026, 2, 5, tzinfo=UTC), until=datetime(2026, 2, 7, tzinfo=UTC)
        )
    )
    assert [(s.underlying, s.as_of.day) for s in crash] == [
        ("BTC", 5),
        ("ETH", 5),
        ("BTC", 6),
        ("ETH", 6),
    ]


@needs_real_chains
def test_a_recorded_chain_survives_being_archived_again(tmp_path):
    chain = next(read_archive(REAL, underlying="ETH"))
    assert read_snapshot(write_snapshot(tmp_path, chain)).digest == chain.digest
