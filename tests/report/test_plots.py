"""Plots: to the terminal, to PNG, to one HTML page that needs nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from monitor.errors import UsageError
from monitor.report.plots import MAX_LINES, plot_history


def history(models: list[str | None], nights: int = 30) -> pd.DataFrame:
    times = pd.date_range("2026-01-05 22:30", periods=nights, freq="D", tz="UTC")
    parts = [
        pd.DataFrame(
            {
                "as_of": times,
                "venue": "deribit",
                "underlying": "BTC",
                "model": model,
                "metric": "rmse_iv",
                "scope": "chain",
                "value": np.linspace(0.01, 0.02 + i, nights),
                "unit": "vol",
                "n": 300,
                "run_id": "x",
            }
        )
        for i, model in enumerate(models)
    ]
    return pd.concat(parts, ignore_index=True)


def test_the_terminal_drawing_names_each_line_and_the_metric() -> None:
    drawn = plot_history(history(["svi", "heston"]), "terminal", width=90, colour=False)
    assert "svi" in drawn
    assert "heston" in drawn
    assert "rmse_iv deribit BTC chain (vol)" in drawn
    assert "2026-01-05" in drawn
    assert "\x1b" not in drawn
    assert max(len(line) for line in drawn.splitlines()) <= 91


def test_a_terminal_with_colours_gets_them() -> None:
    assert "\x1b[" in plot_history(history(["svi"]), "terminal", colour=True)


def test_a_png_is_a_png(tmp_path: Path) -> None:
    path = tmp_path / "rmse.png"
    said = plot_history(history(["svi", "heston"]), str(path))
    assert path.read_bytes().startswith(b"\x89PNG\r\n")
    assert said == f"60 points in 2 lines drawn to {path}"


def test_a_page_holds_the_drawing_and_every_number_and_needs_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "rmse.html"
    plot_history(history(["svi"], nights=5), str(path))
    page = path.read_text(encoding="utf-8")
    assert "<svg" in page
    assert page.count("<tr") == 6  # a heading and five nights
    assert "<script" not in page
    assert "<link" not in page
    assert " src=" not in page


def test_a_page_of_the_same_numbers_is_the_same_page(tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        plot_history(history(["svi"]), str(tmp_path / name))
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_a_metric_of_the_market_is_drawn_though_it_has_no_model() -> None:
    drawn = plot_history(history([None]), "terminal", colour=False)
    assert "rmse_iv deribit BTC chain" in drawn


@pytest.mark.parametrize(
    ("frame", "target", "said"),
    [
        (history(["svi"]).iloc[:0], "terminal", "nothing to plot"),
        (history(["svi"]), "rmse.pdf", "terminal, FILE.png or FILE.html"),
        (history(["svi"]), "no/such/folder/rmse.png", "cannot be written: No such file"),
        (history([f"m{i}" for i in range(MAX_LINES + 1)]), "terminal", "9 lines are more than"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_words(
    frame: pd.DataFrame, target: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        plot_history(frame, target)
