"""Several writers, and writers that are killed: nothing is lost, and nothing is there by half."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from monitor.errors import StoreUnavailable
from monitor.store import Store, open_store, schema, writer
from monitor.store.soundness import soundness
from monitor.store.writer import write_assessment
from tests.store.build import wall
from tests.store.children import BOUNDARIES, night_of
from tests.store.conftest import OwnServer

ROOT = Path(__file__).parents[2]
PER_RUN = "metrics quotes residuals expiries fits parameters rejections verdicts findings".split()


def child(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.store.children", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors


def rows_of_each_run(store: Store) -> dict[str, set[int]]:
    """Return how many rows the stored runs have in each table: one number if all are whole."""
    rows = "SELECT (SELECT COUNT(*) FROM {} t WHERE t.run_key = r.key) FROM runs r"
    tables = (*PER_RUN, "answers", "incident_events", "outbox")
    with store.reading() as connection:
        return {t: set(connection.execute(text(rows.format(t))).scalars()) for t in tables}


def totals(store: Store) -> dict[str, int]:
    with store.reading() as connection:
        return {
            name: int(connection.scalar(text(f"SELECT COUNT(*) FROM {name}")))
            for name in schema.metadata.tables
        }


def test_four_writers_lose_nothing_and_never_show_half_a_run(url: str) -> None:
    # Each meets another on every night.
    writers = child("write", url, 0, 5, 3, 8, 6, 11, 0, 11)
    with open_store(url) as store:
        while writers.poll() is None:
            assert all(len(numbers) <= 1 for numbers in rows_of_each_run(store).values())
            time.sleep(0.02)
        end(writers)
        assert all(len(numbers) == 1 for numbers in rows_of_each_run(store).values())
        together = totals(store)
        assert together["runs"] == together["outbox"] == together["answers"] == 12
        for night in range(12):  # all of it is there: writing it again adds nothing
            assert not write_assessment(store, night_of(night), wall=wall(99), tell=True)
        assert totals(store) == together


def test_a_writer_killed_anywhere_leaves_a_whole_run_or_none(url: str) -> None:
    end(child("die", url))
    with open_store(url) as store:
        assert totals(store)["runs"] == 1  # that of the child killed after its commit
        assert all(len(numbers) == 1 for numbers in rows_of_each_run(store).values())
        for night in range(len(BOUNDARIES)):
            is_new = write_assessment(store, night_of(night), wall=wall(9), tell=True)
            assert is_new == (BOUNDARIES[night] != "done")
        completed = totals(store)
        assert completed["runs"] == completed["outbox"] == len(BOUNDARIES)
        assert all(len(numbers) == 1 for numbers in rows_of_each_run(store).values())
        assert soundness(store).broken == ()


def test_a_server_killed_in_the_middle_of_a_run_loses_that_run_alone(
    own_server: OwnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(own_server.url) as store:
        store.upgrade()
        for night in range(3):
            write_assessment(store, night_of(night), wall=wall(night), tell=True)
        insert = writer.insert_rows

        def kill_at_metrics(connection: Any, table: Any, *rest: Any) -> None:
            if table is schema.metrics:
                own_server.kill()
            insert(connection, table, *rest)

        with monkeypatch.context() as patch:
            patch.setattr(writer, "insert_rows", kill_at_metrics)
            with pytest.raises(StoreUnavailable, match=r"when it is up|does not answer"):
                write_assessment(store, night_of(3), wall=wall(3), tell=True)
        with pytest.raises(StoreUnavailable):
            totals(store)
        own_server.start()
        # The same store goes on with the server that came back.
        assert totals(store)["runs"] == totals(store)["outbox"] == 3
        assert soundness(store).broken == ()
        assert write_assessment(store, night_of(3), wall=wall(3), tell=True)
        assert not write_assessment(store, night_of(2), wall=wall(4), tell=True)
        assert totals(store)["runs"] == totals(store)["outbox"] == 4
        assert soundness(store).broken == ()
