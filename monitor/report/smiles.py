"""One night's smiles as a picture: the market's bid-ask against each model, expiry by expiry."""

from __future__ import annotations

import html
import io
from pathlib import Path

import pandas as pd

from monitor.errors import UsageError

MAX_MODELS = 6  # more lines than a reader can tell apart
_ACROSS = 3
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body{{font:15px sans-serif;margin:2em auto;max-width:80em;color:#222}}
svg{{width:100%;height:auto}}</style></head>
<body><h1>{title}</h1>
{svg}
</body></html>
"""


def plot_surface(frame: pd.DataFrame, target: str) -> str:
    """Draw one night's smiles, a panel an expiry, and return a line that says what was written.

    Parameters
    ----------
    frame : DataFrame
        Of `monitor.store.frames.surface_frame`.
    target : str
        A file that ends in ``.png`` or ``.html``.

    Raises
    ------
    UsageError
        If the target is neither, cannot be written, or there is nothing to draw.
    """
    path = Path(target)
    if path.suffix not in (".png", ".html"):
        raise UsageError(f"--plot was {target!r}; it takes FILE.png or FILE.html")
    if frame.empty:
        raise UsageError("there is nothing to plot: no quote of this night")
    models = sorted(frame["model"].unique())
    if len(models) > MAX_MODELS:
        raise UsageError(f"{len(models)} models are too many to tell apart; choose with --model")
    first = frame.iloc[0]
    title = f"{first.venue} {first.underlying} {first.as_of:%Y-%m-%d %H:%M} UTC"
    drawn = _figure(frame, models, title, "png" if path.suffix == ".png" else "svg")
    if path.suffix == ".html":
        svg = drawn.decode()
        page = _PAGE.format(title=html.escape(title), svg=svg[svg.index("<svg") :])
        drawn = page.encode()
    try:
        path.write_bytes(drawn)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    return f"{frame['expiry'].nunique()} smiles, {len(models)} models drawn to {path}"


def _figure(frame: pd.DataFrame, models: list[str], title: str, form: str) -> bytes:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    expiries = sorted(frame["expiry"].unique())
    down = -(-len(expiries) // _ACROSS)
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "misspec"}):
        figure, axes = pyplot.subplots(
            down, _ACROSS, figsize=(4.2 * _ACROSS, 2.8 * down), layout="constrained", squeeze=False
        )
        for place, expiry in zip(axes.flat, expiries, strict=False):
            here = frame[frame["expiry"] == expiry].sort_values("k")
            market = here[here["model"] == models[0]]
            place.vlines(
                market["k"],
                market["iv_bid"],
                market["iv_ask"],
                color="0.55",
                lw=1.6,
                label="market",
            )
            for model in models:
                line = here[here["model"] == model]
                place.plot(line["k"], line["model_iv"], lw=1.1, label=model)
            place.set_title(f"{expiry:%Y-%m-%d}, {here['tau'].iloc[0] * 365:.1f} days", loc="left")
            place.grid(alpha=0.3)
        for place in list(axes.flat)[len(expiries) :]:
            place.set_visible(False)
        figure.suptitle(title, x=0.01, ha="left")
        figure.supxlabel("log-moneyness")
        figure.supylabel("implied vol (decimal)")
        axes.flat[0].legend(frameon=False)
        buffer = io.BytesIO()
        figure.savefig(
            buffer, format=form, dpi=110, metadata={"Date": None} if form == "svg" else None
        )
        pyplot.close(figure)
    return buffer.getvalue()
