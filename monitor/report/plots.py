"""A metric through time: drawn in the terminal, or to PNG or HTML."""

from __future__ import annotations

import html
import io
from pathlib import Path

import pandas as pd

from monitor.errors import UsageError

TERMINAL = "terminal"
MAX_LINES = 8  # more than a reader can tell apart
_KEYS = ("venue", "underlying", "model", "scope")


def plot_history(frame: pd.DataFrame, target: str, *, width: int = 100, colour: bool = True) -> str:
    """Draw a metric's history, one line for each venue, underlying, model and scope.

    Parameters
    ----------
    frame : DataFrame
        Rows of `misspec history`: ``as_of``, ``value``, ``metric``, ``unit`` and the keys.
    target : str
        ``terminal``, or a file that ends in ``.png`` or ``.html``.
    width : int
        Characters across, for the terminal.
    colour : bool
        Whether the terminal's drawing may hold colour codes.

    Returns
    -------
    str
        The drawing itself for the terminal, else a line that says what was written.

    Raises
    ------
    UsageError
        If the target is neither, cannot be written, or there is nothing to draw.
    """
    lines = _lines(frame)
    if target == TERMINAL:
        return _terminal(frame, lines, width, colour)
    path = Path(target)
    if path.suffix not in (".png", ".html"):
        raise UsageError(f"--plot was {target!r}; it takes terminal, FILE.png or FILE.html")
    try:
        path.write_bytes(_png(frame, lines) if path.suffix == ".png" else _html(frame, lines))
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    return f"{len(frame)} points in {len(lines)} lines drawn to {path}"


def _lines(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the points of each line by its label: the keys in which the lines differ."""
    if frame.empty:
        raise UsageError("there is nothing to plot: no value in this range")
    keys = [k for k in _KEYS if k in frame and frame[k].nunique(dropna=False) > 1]
    if not keys:
        return {_title(frame): frame.sort_values("as_of")}
    groups = {
        " ".join("market" if part != part or part is None else str(part) for part in name): group
        for name, group in frame.sort_values("as_of").groupby(keys, dropna=False, sort=True)
    }
    if len(groups) > MAX_LINES:
        raise UsageError(
            f"{len(groups)} lines are more than the {MAX_LINES} one can tell apart; choose with "
            "--underlying, --model or --scope"
        )
    return groups


def _title(frame: pd.DataFrame) -> str:
    first = frame.iloc[0]
    same = [
        str(first[k])
        for k in _KEYS
        if k in frame and frame[k].nunique(dropna=False) == 1 and not pd.isna(first[k])
    ]
    return " ".join([str(first["metric"]), *same])


def _axis(frame: pd.DataFrame) -> str:
    unit = str(frame["unit"].iloc[0])
    return f"{frame['metric'].iloc[0]} ({unit})" if unit else str(frame["metric"].iloc[0])


def _terminal(frame: pd.DataFrame, lines: dict[str, pd.DataFrame], width: int, colour: bool) -> str:
    import plotext

    plotext.clear_figure()
    plotext.theme("pro" if colour else "clear")
    plotext.plot_size(min(width, 160), 24)
    plotext.date_form("Y-m-d H:M")
    for label, points in lines.items():
        times = points["as_of"].dt.strftime("%Y-%m-%d %H:%M").tolist()
        plotext.plot(times, points["value"].tolist(), label=label, marker="braille")
    plotext.title(f"{_title(frame)} ({frame['unit'].iloc[0]})")
    drawn: str = plotext.build()
    return drawn if colour else plotext.uncolorize(drawn)


def _figure(frame: pd.DataFrame, lines: dict[str, pd.DataFrame], form: str) -> bytes:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    # Text stays text in the SVG, and two drawings of the same numbers are the same file.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "misspec"}):
        figure, axes = pyplot.subplots(figsize=(11, 4.5), layout="constrained")
        for label, points in lines.items():
            marker = "." if len(points) < 200 else ""
            axes.plot(points["as_of"], points["value"], label=label, lw=1.1, marker=marker)
        axes.set_title(_title(frame), loc="left")
        axes.set_ylabel(_axis(frame))
        axes.grid(alpha=0.3)
        axes.margins(x=0.01)
        if len(lines) > 1:
            axes.legend(frameon=False, ncols=2)
        buffer = io.BytesIO()
        metadata = {"Date": None} if form == "svg" else None
        figure.savefig(buffer, format=form, dpi=130, metadata=metadata)
        pyplot.close(figure)
    return buffer.getvalue()


def _png(frame: pd.DataFrame, lines: dict[str, pd.DataFrame]) -> bytes:
    return _figure(frame, lines, "png")


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body{{font:15px sans-serif;margin:2em auto;max-width:75em;color:#222}}
svg{{width:100%;height:auto}} table{{border-collapse:collapse;font-variant-numeric:tabular-nums}}
td,th{{padding:.15em .8em;text-align:left;border-bottom:1px solid #ddd}}</style></head>
<body><h1>{title}</h1>
{svg}
<details><summary>{n} values</summary>
{table}
</details></body></html>
"""


def _html(frame: pd.DataFrame, lines: dict[str, pd.DataFrame]) -> bytes:
    """Return one page that needs nothing else: the drawing, and its numbers beneath."""
    svg = _figure(frame, lines, "svg").decode()
    columns = [c for c in ("as_of", *_KEYS, "value", "unit", "n", "run_id") if c in frame]
    title = html.escape(_title(frame))
    return _PAGE.format(
        title=title,
        svg=svg[svg.index("<svg") :],
        n=len(frame),
        table=frame[columns].to_html(index=False, border=0, na_rep=""),
    ).encode()
