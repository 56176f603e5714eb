"""Work over processes: results in the order of tasks, every tick counted, errors raised here."""

from __future__ import annotations

import multiprocessing
from functools import partial

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
