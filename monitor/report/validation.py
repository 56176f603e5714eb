"""The weekly review as a page: HTML with plots, and the same in Markdown.

Takes the review as it is and decides nothing; a number is rounded here and nowhere before.
"""

from __future__ import annotations

import html
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from monitor.validation.weekly import Review

_POINTS = {"rmse_iv", "refreshed_rmse_iv", "max_rmse_iv", "last_7", "worst"} | {
    "in_sample",
    "strikes",
    "expiries",
}
_SHARES = {"inside_share", "min_inside_share", "beyond_tolerance", "lower", "upper"} | {
    "unstable_nights",
    "restarts_disagree",
    "unidentified_nights",
    "during",
    "after",
    "jump_share",
}
# Of each table: its heading, what a reader must know, the columns shown and what they are called.
_SECTIONS: tuple[tuple[str, str, str, Mapping[str, str]], ...] = (
    (
        "conclusions",
        "Conclusions",
        "What the record supports, model by model; every clause is a number of a table below.",
        {"underlying": "underlying", "model": "model", "conclusion": "conclusion"},
    ),
    (
        "inventory",
        "Inventory, purpose and tolerance",
        "Tolerances are those of the configuration this review was made with.",
        {
            "model": "model",
            "what": "what it is",
            "purpose": "purpose",
            "owner": "owner",
            "max_rmse_iv": "RMSE at most, vol points",
            "min_inside_share": "inside bid–ask at least",
            "parameters": "parameters",
        },
    ),
    (
        "performance",
        "Performance against tolerance",
        "Medians over the nights; `next night` is last night's structure with tonight's states.",
        {
            "underlying": "underlying",
            "model": "model",
            "nights": "nights",
            "rmse_iv": "RMSE, vol points",
            "last_7": "last 7",
            "worst": "worst",
            "refreshed_rmse_iv": "next night",
            "inside_share": "inside",
            "beyond_tolerance": "beyond tolerance",
            "adequate": "adequate",
            "watch": "watch",
            "misspecified": "misspecified",
            "inconclusive": "inconclusive",
        },
    ),
    (
        "ranking",
        "Performance against the rivals",
        "Squared error of the next night. The model confidence set (90 %) holds those that cannot "
        "be told from the best; p against the best is Diebold and Mariano's, in sample Vuong's. "
        "Expiries listed since are no model's loss that has parameters for each expiry.",
        {
            "underlying": "underlying",
            "model": "model",
            "nights": "nights",
            "rmse_iv": "next-night RMSE",
            "p_set": "p of the set",
            "in_set": "in the set",
            "p_best": "p against the best",
            "p_vuong": "p in sample",
        },
    ),
    (
        "overfit",
        "In sample against out of it",
        "Overfit against: simpler rivals that fit worse and predict the next night better, both "
        "beyond chance. Held out: blocks of strikes, error over that in sample, by influence.",
        {
            "underlying": "underlying",
            "model": "model",
            "parameters": "effective parameters",
            "rmse_iv": "in sample",
            "refreshed_rmse_iv": "next night",
            "ratio": "ratio",
            "heldout_ratio": "held out",
            "overfit_against": "overfit against",
            "hurdle": "ad-hoc hurdle",
            "jumpiness": "jump of structure, errors",
            "jumpiness_per_point": "for each point gained on ad-hoc",
        },
    ),
    (
        "heldout",
        "Held out and fitted again",
        "The last archived chain, every model fitted again without blocks of strikes and without "
        "each expiry; vol points.",
        {
            "underlying": "underlying",
            "model": "model",
            "in_sample": "in sample",
            "strikes": "strikes held out",
            "expiries": "expiries held out",
            "n_strikes": "quotes",
        },
    ),
    (
        "stability",
        "Stability and identification",
        "Jump of structure in standard errors (median). Unstable: nights that one structure does "
        "not serve with the night before, beyond chance. Unidentified is not asked of slices: what "
        "their numbers leave open does their smile no harm. Memory: p of no autocorrelation in the "
        "signed next-night error within a week (Ljung and Box). What a model lacks is named by its "
        "score tests, with its share of the nights on which one failed.",
        {
            "underlying": "underlying",
            "model": "model",
            "structure_jump": "jump of structure",
            "unstable_nights": "unstable nights",
            "unidentified_nights": "unidentified nights",
            "weakest": "weakest direction",
            "restarts_disagree": "restarts disagree",
            "feller": "Feller",
            "memory_p": "memory, p",
            "failed_assumption": "lacks most often",
        },
    ),
    (
        "bounds",
        "Bounds",
        "Share of nights (of nights and expiries) on which a parameter ended at a bound.",
        {
            "underlying": "underlying",
            "model": "model",
            "parameter": "parameter",
            "lower": "at the lower",
            "upper": "at the upper",
        },
    ),
    (
        "dynamics",
        "Option prices against the coin",
        "From the venue's candles; the band holds nine tenths of the model's own nights.",
        {
            "underlying": "underlying",
            "model": "model",
            "metric": "number",
            "scope": "window",
            "nights": "nights",
            "last": "last",
            "low_5": "5 %",
            "high_95": "95 %",
            "outside": "outside",
        },
    ),
    (
        "forwards",
        "What the coin did, by the forwards of stored chains",
        "Not realised variance from candles: a few observations a day, with its standard error. "
        "Jump z is the ratio statistic; moves named are beyond 1 % of the record.",
        {
            "underlying": "underlying",
            "cadence": "cadence",
            "period": "period",
            "returns": "moves",
            "variance": "variance a year",
            "stderr": "± error",
            "bipower": "bipower",
            "jump_z": "jump z",
            "jumps": "single moves",
        },
    ),
    (
        "incidents",
        "Incidents",
        "Open at the end of the period first, then those it resolved.",
        {
            "open": "open",
            "severity": "severity",
            "cause": "cause",
            "underlying": "underlying",
            "model": "model",
            "opened_at": "opened",
            "resolved_at": "resolved",
            "message": "last word",
        },
    ),
    (
        "judgements",
        "Expert judgements and how they turned out",
        "During and after: share of nights on which the model was misspecified while the judgement "
        "was in force, and since.",
        {
            "id": "id",
            "kind": "kind",
            "model": "model",
            "underlying": "underlying",
            "subject": "subject",
            "since": "since",
            "until": "until",
            "in_force": "in force",
            "author": "author",
            "reason": "reason",
            "during": "during",
            "after": "after",
        },
    ),
)
_SIGNED = ("Prepared by", "Reviewed by", "Decision", "Conditions and next review")
_STYLE = """body{font:15px/1.45 sans-serif;margin:2em auto;max-width:84em;padding:0 1em;color:#222}
h1{margin-bottom:.1em} h2{margin:2em 0 .2em} p.note{color:#555;margin:.2em 0 .6em}
svg{width:100%;height:auto} table{border-collapse:collapse;font-variant-numeric:tabular-nums}
td,th{padding:.2em .8em .2em 0;text-align:left;border-bottom:1px solid #ddd;vertical-align:top}
td.n,th.n{text-align:right} .sign td{height:2.2em;min-width:20em}"""


def write_review(review: Review, folder: Path) -> tuple[Path, Path]:
    """Write the review as HTML and Markdown into a folder and return both paths."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"validation-{review.until:%Y-%m-%d}"
    page, text = folder / f"{stem}.html", folder / f"{stem}.md"
    page.write_text(as_html(review), encoding="utf-8")
    text.write_text(as_markdown(review), encoding="utf-8")
    return page, text


def as_markdown(review: Review) -> str:
    """Return the review as Markdown, without plots."""
    out = [f"# {_title(review)}", "", *(f"{line}  " for line in _head(review)), ""]
    for name, heading, note, columns in _SECTIONS:
        out += [f"## {heading}", "", note, ""]
        frame = _shown(review.tables.get(name), columns)
        if frame.empty:
            out += ["Nothing on record.", ""]
            continue
        cells = [[_cell(str(c), v) for c, v in row.items()] for row in frame.to_dict("records")]
        out.append("| " + " | ".join(columns[c] for c in frame.columns) + " |")
        out.append("|" + "|".join(" ---: " if _numeric(frame[c]) else " --- " for c in frame) + "|")
        out += ["| " + " | ".join(v.replace("|", "\\|") for v in row) + " |" for row in cells]
        out.append("")
    if review.remarks:
        out += ["## What could not be said", "", *(f"- {r}" for r in review.remarks), ""]
    out += ["## Signed", "", "| | name, date |", "| --- | --- |"]
    return "\n".join([*out, *(f"| {who} | |" for who in _SIGNED), ""])


def as_html(review: Review) -> str:
    """Return the review as one page that needs nothing else."""
    parts = [f"<h1>{html.escape(_title(review))}</h1>"]
    parts.append("<p>" + "<br>".join(html.escape(line) for line in _head(review)) + "</p>")
    for name, heading, note, columns in _SECTIONS:
        parts.append(f"<h2>{html.escape(heading)}</h2><p class=note>{html.escape(note)}</p>")
        if name == "performance" and not review.errors.empty:
            parts.append(_drawn(review.errors))
        frame = _shown(review.tables.get(name), columns)
        parts.append(_table(frame, columns) if not frame.empty else "<p>Nothing on record.</p>")
    if review.remarks:
        said = "".join(f"<li>{html.escape(r)}</li>" for r in review.remarks)
        parts.append(f"<h2>What could not be said</h2><ul>{said}</ul>")
    lines = "".join(f"<tr><th>{who}</th><td></td></tr>" for who in _SIGNED)
    parts.append(f"<h2>Signed</h2><table class=sign>{lines}</table>")
    title = html.escape(_title(review))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        f"<style>{_STYLE}</style></head>\n<body>{''.join(parts)}</body></html>\n"
    )


def _title(review: Review) -> str:
    return f"Model validation, week to {review.until:%Y-%m-%d}"


def _head(review: Review) -> list[str]:
    return [
        f"Streams: {', '.join(review.streams) or 'none'}.",
        f"Nights from {review.since:%Y-%m-%d} to {review.until:%Y-%m-%d} by the venue's time.",
        f"Made by misspec {review.version}, code {review.code[:12]}; from stored numbers alone, "
        "but for the refits of the last chain.",
        "Ongoing monitoring in the sense of SR 26-2: inventory, outcomes, rivals, stability, "
        "limits, open troubles, overrides and how they turned out.",
    ]


def _shown(frame: pd.DataFrame | None, columns: Mapping[str, str]) -> pd.DataFrame:
    if frame is None or frame.empty:
        return pd.DataFrame()
    return frame[[c for c in columns if c in frame.columns]]


def _numeric(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _cell(name: str, value: Any) -> str:
    if value is None or value is pd.NaT or value == "" or value != value:
        return "–"
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return "yes" if value else "no"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, float):
        if name in _POINTS:
            return f"{100 * value:.2f}"
        if name in _SHARES:
            return f"{value:.0%}"
        if name.startswith("p_") or name == "memory_p":
            return "< 0.001" if value < 0.001 else f"{value:.3f}"
        return f"{value:.3g}"
    return str(value)


def _table(frame: pd.DataFrame, columns: Mapping[str, str]) -> str:
    kinds = ["n" if _numeric(frame[c]) else "" for c in frame.columns]
    cell: Callable[[str, str, str], str] = lambda tag, kind, text: (  # noqa: E731
        f"<{tag} class=n>{text}</{tag}>" if kind else f"<{tag}>{text}</{tag}>"
    )
    head = "".join(
        cell("th", k, html.escape(columns[c])) for c, k in zip(frame.columns, kinds, strict=True)
    )
    rows = [
        "".join(
            cell("td", k, html.escape(_cell(str(c), v)))
            for (c, v), k in zip(row.items(), kinds, strict=True)
        )
        for row in frame.to_dict("records")
    ]
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _drawn(errors: pd.DataFrame) -> str:
    """Return the nightly errors as one drawing: a row an underlying, in sample and next night."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import LogLocator, NullFormatter

    underlyings = sorted(errors["underlying"].unique())
    metrics = {"rmse_iv": "in sample", "refreshed_rmse_iv": "next night"}
    # One colour a model: of ten, an eleventh model would be drawn as the first.
    strong = matplotlib.colormaps["tab20"].colors  # type: ignore[attr-defined]
    names = sorted(errors["model"].unique())
    colours = dict(zip(names, [*strong[::2], *strong[1::2]], strict=False))
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "misspec"}):
        figure, axes = pyplot.subplots(
            len(underlyings),
            2,
            figsize=(13, 3.2 * len(underlyings)),
            sharex=True,
            sharey="row",
            squeeze=False,
            layout="constrained",
        )
        for row, underlying in zip(axes, underlyings, strict=True):
            for place, (metric, what) in zip(row, metrics.items(), strict=True):
                mine = errors[(errors["underlying"] == underlying) & (errors["metric"] == metric)]
                for model, line in mine.groupby("model"):
                    line = line.dropna(subset="value").sort_values("as_of")
                    place.plot(
                        line["as_of"],
                        100 * line["value"],
                        lw=1.2,
                        label=model,
                        color=colours.get(model),
                    )
                place.set_yscale("log")
                place.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
                place.yaxis.set_major_formatter(lambda v, _: f"{v:g}")
                place.yaxis.set_minor_formatter(NullFormatter())
                place.set_title(f"{underlying}, {what}", loc="left")
                place.set_ylabel("RMSE, vol points")
                place.grid(alpha=0.3, which="both")
        lines, labels = axes[0][0].get_legend_handles_labels()
        figure.legend(lines, labels, loc="outside upper right", frameon=False, ncols=6)
        figure.autofmt_xdate()
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
        pyplot.close(figure)
    svg = buffer.getvalue().decode()
    return svg[svg.index("<svg") :]
