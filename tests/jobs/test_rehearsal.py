"""What the demonstration says of itself: found, missed and false alarms in plain words."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from monitor.errors import UnknownNameError, UsageError
from monitor.rehearsal import Night, Rehearsal

AT = datetime(2026, 3, 10, 22, 30, tzinfo=UTC)
RED = ("abc", "red", "misspecification")
AMBER = ("abc", "amber", "misspecification")
MARKET = ("abc", "red", "market")


def story(
    monkeypatch: pytest.MonkeyPatch, folder: Path, world: str, *risen: tuple[Any, ...] | None
) -> str:
    """Return the end of a story of two quiet nights and one broken night for each of `risen`."""
    rehearsal = Rehearsal(folder, world, seed=0, nights=4)
    alerts = pd.DataFrame(
        {"id": ["abc"], "message": ["svi: wrong"], "opened_at": [AT], "cause": ["x"]}
    )
    monkeypatch.setattr(rehearsal, "alerts", lambda: alerts)
    quiet = [Night(1, AT, False), Night(2, AT, False)]
    broken = [Night(3 + i, AT, True, risen=(rise,) if rise else ()) for i, rise in enumerate(risen)]
    rehearsal.seen = quiet + broken
    return rehearsal.story()[-1]


@pytest.mark.parametrize(
    ("world", "risen", "said"),
    [
        ("jumps-on", (RED,), "Found on night 3, the same night: abc"),
        ("jumps-on", (AMBER, None, RED), "Found on night 5, 2 nights after: abc"),
        ("jumps-on", (None, AMBER), "Seen on night 4, 1 night after, as amber"),
        ("jumps-on", (None, AMBER), "NOT red within 2 nights"),
        ("jumps-on", (MARKET,), "NOT found as misspecification within 1 night"),
        ("jumps-on", (None, None), "NOT found as misspecification within 2 nights"),
        ("vol-up-40", (None, AMBER), "no red incident, as it should be"),
        ("vol-up-40", (RED,), "FALSE red on night 3: svi: wrong"),
        ("calm", (None,), "nothing was broken and nothing was called broken"),
        ("calm", (RED,), "1 FALSE red"),
    ],
)
def test_the_end_says_whether_the_truth_was_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, world: str, risen: Any, said: str
) -> None:
    assert said in story(monkeypatch, tmp_path, world, *risen)


def test_a_home_that_is_not_a_demonstrations_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("x")
    with pytest.raises(UsageError, match="no demonstration's"):
        Rehearsal(tmp_path, "calm", seed=0, nights=2).prepare()
    assert (tmp_path / "precious.txt").exists()


def test_a_home_of_an_earlier_demonstration_is_begun_afresh(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    Rehearsal(home, "calm", seed=0, nights=2).prepare()
    (home / "misspec.db").write_text("old")
    Rehearsal(home, "calm", seed=0, nights=2).prepare()
    assert not (home / "misspec.db").exists()


def test_a_world_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'jumps-on'"):
        Rehearsal(tmp_path, "jumps-in", seed=0, nights=2)
