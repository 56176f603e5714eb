"""The ranking as a question in Python, beside those of `monitor.questions`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.questions import Moment, _first, _last, _opened
from monitor.validation.rivals import OUT_OF_SAMPLE
from monitor.validation.rivals import ranking as ranked

if TYPE_CHECKING:
    import pandas as pd


def ranking(
    *,
    loss: str = OUT_OF_SAMPLE,
    by: str = "month",
    level: float = 0.9,
    underlying: str | None = None,
    venue: str | None = None,
    cadence: str | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    models: Sequence[str] = (),
    config: Path | str | None = None,
    database: str | None = None,
) -> pd.DataFrame:
    """Return which models cannot be told from the best; see `monitor.validation.rivals.ranking`."""
    with _opened(config, database) as store:
        return ranked(
            store,
            loss=loss,
            by=by,
            level=level,
            underlying=underlying,
            venue=venue,
            cadence=cadence,
            since=_first(since),
            until=_last(until),
            models=models,
        )
