"""One frame in four formats: a table for people, CSV, JSON and Parquet for programs."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitor.report.form import Format

# Columns of sentences: they take what room there is, and are broken into lines between words.
_WIDE = frozenset("reason message definition meaning what stored replayed found advice".split())
_NARROWEST = 24  # letters a line of a sentence, where it has as many
_PIPE_WIDTH = 200  # where no terminal says how wide it is

COLOURS = {
    "adequate": "green",
    "watch": "yellow",
    "misspecified": "bold red",
    "inconclusive": "magenta",
    "red": "bold red",
    "amber": "yellow",
    "info": "cyan",
    "open": "bold",
    "acknowledged": "blue",
    "resolved": "dim",
    "ok": "green",
    "warning": "yellow",
    "error": "bold red",
}


def encoded(frame: pd.DataFrame, form: Format) -> bytes:
    """Return a frame as CSV, JSON (a list of objects) or Parquet.

    Times are ISO 8601 in UTC; an absent number is empty in CSV and null elsewhere. Floats are
    written so that they read back to the same bits.
    """
    if form is Format.PARQUET:
        buffer = io.BytesIO()
        frame.to_parquet(buffer, index=False, compression="zstd")
        return buffer.getvalue()
    rows = [{str(k): _plain(v) for k, v in row.items()} for row in frame.to_dict("records")]
    if form is Format.JSON:
        return (json.dumps(rows, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
    flat = [{k: _flat(v) for k, v in row.items()} for row in rows]
    text = pd.DataFrame(flat, columns=list(frame.columns), dtype=object).to_csv(index=False)
    return text.encode()


def table(
    frame: pd.DataFrame,
    *,
    title: str | None = None,
    columns: Sequence[str] | None = None,
    headings: Mapping[str, str] | None = None,
    empty: str = "nothing to show",
) -> Table | Text:
    """Return a frame as a table for a terminal: numbers rounded, times to the minute.

    Parameters
    ----------
    frame : DataFrame
    title : str, optional
    columns : sequence of str, optional
        Which to show, in order; those that the frame does not have are left out.
    headings : mapping, optional
        What to call a column instead of its name.
    empty : str
        What is said of a frame without rows.
    """
    if frame.empty:
        return Text(empty, style="dim")
    shown = [c for c in (columns or frame.columns) if c in frame.columns]
    out = Table(
        title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False, show_edge=False
    )
    for name in shown:
        numeric = pd.api.types.is_numeric_dtype(frame[name])
        wide = name in _WIDE
        longest = max((len(str(value)) for value in frame[name]), default=0) if wide else 0
        out.add_column(
            (headings or {}).get(name, name.replace("_", " ")),
            justify="right" if numeric else "left",
            overflow="fold",
            min_width=min(longest, _NARROWEST) or None,
            no_wrap=not wide and not numeric and name not in ("summary", "source", "scope"),
        )
    for row in frame[shown].to_dict("records"):
        out.add_row(*(_cell(value) for value in row.values()))
    return out


def to_console(renderable: Table | Text | str, console: Console) -> None:
    """Print for a person; a pipe gets lines as long as they need to be."""
    if console.is_terminal:
        console.print(renderable)
    else:
        wide = Console(file=io.StringIO(), width=_PIPE_WIDTH, no_color=True, highlight=False)
        wide.print(renderable)
        text: str = wide.file.getvalue()  # type: ignore[attr-defined]
        console.file.write("".join(f"{line.rstrip()}\n" for line in text.splitlines()))


def _plain(value: Any) -> Any:
    """Return a value as JSON knows it; absent and not-a-number become None."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(v) for v in value]
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not isfinite(value):
        return None
    return value


def _flat(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value


def _cell(value: Any) -> Text:
    value = _plain(value)
    if value is None:
        return Text("")
    if isinstance(value, bool):
        return Text("yes" if value else "")
    if isinstance(value, float):
        return Text(_number(value))
    if isinstance(value, str) and len(value) >= 20 and value[10:11] == "T" and value.endswith("Z"):
        return Text(value[:16].replace("T", " "))
    if isinstance(value, (list, dict)):
        return Text(str(len(value)))
    text = str(value)
    return Text(text, style=COLOURS.get(text, ""))


def _number(value: float) -> str:
    """Return four significant digits, without an exponent where a reader can do without."""
    if value == 0 or 1e-4 <= abs(value) < 1e7:
        return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return f"{value:.3g}"
