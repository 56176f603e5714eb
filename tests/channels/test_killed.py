"""A deliverer killed anywhere loses nothing, and repeats at most what it could not commit."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

from monitor.channels import deliver_pending
from monitor.store import open_store
from monitor.store.writer import record_job
from tests.channels.children import BOUNDARIES
from tests.channels.receivers import web_hook
from tests.store.build import WALL, make_message

ROOT = Path(__file__).parents[2]
KEYS = [f"k{i}" for i in range(len(BOUNDARIES))]


def test_killed_deliverers_lose_nothing_and_repeat_only_under_the_same_key(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'misspec.db'}"
    with web_hook() as hook, open_store(database) as store:
        store.upgrade()
        record_job(
            store,
            job="test",
            stream=None,
            slot="2026-07-01",
            outcome="done",
            note="",
            started_wall=WALL,
            ended_wall=WALL,
            messages=[make_message(key) for key in KEYS],
        )
        dying = subprocess.run(
            [sys.executable, "-m", "tests.channels.children", database, hook.url],
            cwd=ROOT,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert dying.returncode == 0, dying.stderr
        deliver_pending(store, {"red": [hook.url]}, now=WALL + timedelta(days=1))
        assert store.outbox.counts() == {"pending": 0, "sent": len(KEYS), "dead": 0}
        seen = Counter(payload["dedup_key"] for payload in hook.received)
    assert set(seen) == set(KEYS)  # a deduplicating receiver sees each once
    # Only the child killed between the receiver's answer and our commit makes us say it again.
    assert sum(seen.values()) == len(KEYS) + 1
