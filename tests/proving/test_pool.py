"""Work over processes: results in the order of tasks, every tick counted, errors raised here."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from monitor.proving.pool import run_all
from tests.proving.works import refuse, refuse_or_last, square


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_the_order_of_tasks_and_every_tick_is_counted(processes):
    ticks = []
    found = run_all(square, [5, 1, 4], processes=processes, tick=lambda: ticks.append(1))
    assert found == [25, 1, 16]
    assert len(ticks) == 10


@pytest.mark.parametrize("processes", [1, 2])
def test_what_goes_wrong_in_a_task_is_raised_here(processes):
    with pytest.raises(ValueError, match="three is too many"):
        run_all(refuse, [1, 2, 3, 4], processes=processes, tick=lambda: None)


def test_a_failure_stops_the_others_and_leaves_no_word_of_it(tmp_path, capfd):
    work = partial(refuse_or_last, tmp_path / "lasted")
    with pytest.raises(ValueError, match="one is too many"):
        run_all(work, [1, 2, 3], processes=2, tick=lambda: None)
    # No process is left: one still starting would complain that the queue is gone.
    assert multiprocessing.active_children() == []
    assert not (tmp_path / "lasted").exists()
    assert capfd.readouterr().err == ""


PARENT = """
from functools import partial
from pathlib import Path
from monitor.proving.pool import run_all
from tests.proving.works import wait_for_ever

if __name__ == "__main__":
    run_all(partial(wait_for_ever, Path({folder!r})), [1, 2], processes=2, tick=lambda: None)
"""


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def within(seconds, what):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_killed_command_leaves_no_process_at_work(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT.format(folder=str(tmp_path)))
    where = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    parent = subprocess.Popen([sys.executable, str(script)], env=where)
    try:
        within(60, lambda: all((tmp_path / f"{n}.pid").is_file() for n in (1, 2)))
        within(5, lambda: all((tmp_path / f"{n}.pid").read_text() for n in (1, 2)))
        workers = [int((tmp_path / f"{n}.pid").read_text()) for n in (1, 2)]
        assert all(map(alive, workers))
    finally:
        parent.kill()
        parent.wait()
    within(10, lambda: not any(map(alive, workers)))
