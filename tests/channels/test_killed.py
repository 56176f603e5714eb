"""A deliverer killed anywhere loses nothing, and repeats at most what it could not commit."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.channels import deliver_pending
from monitor.store import open_store
from monitor.store.outbox import Outbox
from tests.channels.children import ANSWERED, ANYWHERE, BOUNDARIES, key_of, queue
from tests.channels.receivers import web_hook
from tests.store.build import WALL

ROOT = Path(__file__).parents[2]


# Two hundred: 40 s on a busy machine.
@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_killed_deliverers_lose_nothing_and_repeat_only_under_the_same_key(
    kills: int, tmp_path: Path
) -> None:
    database = f"sqlite:///{tmp_path / 'misspec.db'}"
    with web_hook() as hook, open_store(database) as store:
        store.upgrade()
        dying = subprocess.run(
            [sys.executable, "-m", "tests.channels.children", database, hook.url, str(kills)],
            cwd=ROOT,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert dying.returncode == 0, dying.stderr
        for number in range(kills):  # a job that died is run again
            queue(store, number)
        # Twice: a claim of the last child runs out with its hour.
        for hour in range(2):
            after = timedelta(hours=kills + hour)
            deliver_pending(Outbox(store), {"red": [hook.url]}, now=WALL + after)
        assert Outbox(store).counts() == {"pending": 0, "sent": kills, "dead": 0}
        seen = Counter(payload["dedup_key"] for payload in hook.received)
    assert set(seen) == {key_of(n) for n in range(kills)}  # a deduplicating receiver sees each once
    # Only a child killed between the receiver's answer and our commit makes us say it again.
    at = Counter(BOUNDARIES[n % len(BOUNDARIES)] for n in range(kills))
    again = sum(seen.values()) - kills
    assert at[ANSWERED] <= again <= at[ANSWERED] + at[ANYWHERE]
