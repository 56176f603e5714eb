"""The weekly review of every model by its record: ongoing monitoring as SR 26-2 understands it.

One function reads the store and returns tables; who writes them as a page is the report's affair.
What is not stored is said to be absent, never filled in. The review reads verdicts, it makes none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from monitor import __version__
from monitor.assessment import code_digest
from monitor.config import Config
from monitor.models import MODELS
from monitor.store.frames import alerts_frame, parameters_frame
from monitor.store.judgements import list_judgements
from monitor.store.reviews import forwards_frame, verdicts_frame
from monitor.validation import folds
from monitor.validation.forwards import forward_variance
from monitor.validation.overfit import overfit_record
from monitor.validation.record import (
    Place,
    bands,
    conclusions,
    judged,
    outcomes,
    performance,
    stability,
)
from monitor.validation.rivals import IN_SAMPLE, OUT_OF_SAMPLE, losses_frame, ranking
from monitor.verdict.inventory import DEFAULT_INVENTORY, ModelUse

if TYPE_CHECKING:
    import pandas as pd

    from monitor.store import Store

NIGHTS = 90  # that a review looks back over
WEEKLY = tuple(name for name in MODELS if name not in DEFAULT_INVENTORY)  # too slow for a night


@dataclass(frozen=True, eq=False)
class Review:
    """What the record says, as tables.

    Attributes
    ----------
    since, until : datetime
        The nights reviewed, by the venue's time; since the first on record.
    streams : tuple of str
        ``deribit BTC day``.
    version, code : str
        Of the package that made it.
    tables : mapping of name to DataFrame
        ``inventory``, ``conclusions``, ``performance``, ``ranking``, ``overfit``, ``heldout``,
        ``stability``, ``bounds``, ``dynamics``, ``forwards``, ``incidents``, ``judgements``; any
        may be empty.
    errors : DataFrame
        Nightly errors for plots: ``as_of, underlying, model, metric, value``.
    remarks : tuple of str
        What could not be said, and why.
    """

    since: datetime
    until: datetime
    streams: tuple[str, ...]
    version: str
    code: str
    tables: Mapping[str, pd.DataFrame]
    errors: pd.DataFrame
    remarks: tuple[str, ...]


def review(
    store: Store,
    config: Config,
    *,
    until: datetime,
    nights: int = NIGHTS,
    underlyings: Sequence[str] = (),
    cadence: str = "day",
    archive: Sequence[Path] = (),
) -> Review:
    """Return the review of the nights up to `until`.

    Parameters
    ----------
    store : Store
    config : Config
        Inventory, tolerances and rules.
    until : datetime
        The venue's time, included.
    nights : int
    underlyings : sequence of str
        Only these; all that are stored by default.
    cadence : str
    archive : sequence of Path
        Where the last chain is looked for, to hold out strikes and expiries and fit again.
    """
    import pandas as pd

    since = until - timedelta(days=nights)
    verdicts = verdicts_frame(store, cadence=cadence, since=since, until=until)
    if underlyings:
        verdicts = verdicts[verdicts["underlying"].isin(list(underlyings))]
    if not verdicts.empty:
        since = max(since, verdicts["as_of"].min().to_pydatetime())
    streams = list(
        verdicts[["venue", "underlying"]].drop_duplicates().itertuples(index=False, name=None)
    )
    found: dict[str, list[pd.DataFrame]] = {}
    remarks: list[str] = []
    errors: list[pd.DataFrame] = []

    def keep(name: str, frame: pd.DataFrame, underlying: str | None = None) -> None:
        if underlying is not None and "underlying" not in frame:
            frame = frame.assign(underlying=underlying)[["underlying", *frame.columns]]
        found.setdefault(name, []).append(frame)

    keep("inventory", _inventory(config))
    for venue, underlying in streams:
        mine = verdicts[(verdicts["venue"] == venue) & (verdicts["underlying"] == underlying)]

        def nightly(
            metric: str, values: str = "value", venue: str = venue, underlying: str = underlying
        ) -> pd.DataFrame:
            frame = losses_frame(
                store,
                metric,
                underlying=underlying,
                venue=venue,
                cadence=cadence,
                since=since,
                until=until,
                values=values,
            )
            return frame.droplevel([0, 1, 2]) if not frame.empty else pd.DataFrame()

        inside, outside = nightly(IN_SAMPLE), nightly(OUT_OF_SAMPLE)
        place = Place(venue=venue, underlying=underlying, cadence=cadence)
        order = ranking(store, by="all", since=since, until=until, **place)
        if order.empty:
            remarks.append(f"{underlying}: too few nights to compare models by")
        record = (
            overfit_record(
                inside,
                outside,
                nightly("heldout_ratio"),
                nightly("structure_jump"),
                nightly("effective_parameters"),
            )
            if not inside.empty and not outside.empty
            else pd.DataFrame()
        )
        acted = performance(mine, inside, outside, nightly("inside_share"), config.inventory)
        keep("performance", acted, underlying)
        keep("ranking", order)
        keep("overfit", record, underlying)
        keep("conclusions", conclusions(acted, order, record), underlying)
        fitted = parameters_frame(store, since=since, until=until, **place)
        keep("stability", stability(store, fitted, place, since, until), underlying)
        keep("bounds", _bounds(fitted), underlying)
        keep("dynamics", bands(store, place, since, until), underlying)
        errors += [
            frame.melt(ignore_index=False)
            .reset_index()
            .assign(metric=metric, underlying=underlying)
            for metric, frame in ((IN_SAMPLE, inside), (OUT_OF_SAMPLE, outside))
            if not frame.empty
        ]
        out, why = _refitted(config, venue, underlying, until, archive, list(inside.columns))
        keep("heldout", out, underlying)
        remarks += why
    forwards = forwards_frame(store, since=since, until=until)
    if underlyings:
        forwards = forwards[forwards["underlying"].isin(list(underlyings))]
    keep("forwards", forward_variance(forwards))
    alerts = alerts_frame(store, all=True)
    alerts = alerts[alerts["cadence"].isin([cadence]) | alerts["cadence"].isna()]
    if underlyings:
        alerts = alerts[alerts["underlying"].isin(list(underlyings)) | alerts["underlying"].isna()]
    keep("incidents", outcomes(alerts, since, until))
    keep("judgements", judged(list_judgements(store), verdicts, since, until))
    return Review(
        since=since,
        until=until,
        streams=tuple(f"{v} {u} {cadence}" for v, u in streams),
        version=__version__,
        code=code_digest(),
        tables={name: _joined(frames) for name, frames in found.items()},
        errors=_joined(errors),
        remarks=tuple(dict.fromkeys(remarks)),
    )


def _joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    some = [frame for frame in frames if not frame.empty]
    return pd.concat(some, ignore_index=True) if some else pd.DataFrame()


def _inventory(config: Config) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for name in config.models:
        model, use = MODELS[name], config.inventory.get(name, ModelUse())
        each = " an expiry" if model.per_expiry else ""
        rows.append(
            {
                "model": name,
                "what": model.summary,
                "purpose": use.purpose,
                "max_rmse_iv": np.nan if use.max_rmse_iv is None else use.max_rmse_iv,
                "min_inside_share": np.nan
                if use.min_inside_share is None
                else use.min_inside_share,
                "parameters": f"{len(model.parameters)}{each}",
                "owner": use.owner or "nobody named",
                "source": model.source,
            }
        )
    return pd.DataFrame(rows)


def _bounds(fitted: pd.DataFrame) -> pd.DataFrame:
    """Return how often each parameter ended at a bound, those that ever did."""
    import pandas as pd

    if fitted.empty:
        return pd.DataFrame()
    bare = fitted["parameter"].str.split("@").str[0]
    at = fitted["at_bound"].fillna(0)
    grouped = pd.DataFrame(
        {"model": fitted["model"], "parameter": bare, "lower": at < 0, "upper": at > 0}
    ).groupby(["model", "parameter"])
    shares = grouped.mean().reset_index()
    return shares[(shares["lower"] > 0.01) | (shares["upper"] > 0.01)].reset_index(drop=True)


def _refitted(
    config: Config,
    venue: str,
    underlying: str,
    until: datetime,
    archive: Sequence[Path],
    models: Sequence[str],
) -> tuple[pd.DataFrame, list[str]]:
    """Return held-out errors on the last archived chain, and why there are none.

    Of every model that is judged, and of those too slow for a night: the week is when they are
    asked whether what they add would foretell anything.
    """
    import pandas as pd

    from monitor.archive.index import list_snapshots
    from monitor.archive.reader import read_refs
    from monitor.errors import ArchiveError
    from monitor.market.build import build_quotes

    places = [*archive, *([config.archive] if config.archive.exists() else [])]
    try:
        refs = [
            ref
            for ref in (list_snapshots(places) if places else ())
            if (ref.venue, ref.underlying) == (venue, underlying)
            and ref.as_of_ms <= until.timestamp() * 1000
        ]
    except ArchiveError as error:
        return pd.DataFrame(), [f"{underlying}: nothing was held out and fitted again: {error}"]
    if not refs:
        return pd.DataFrame(), [f"{underlying}: no archived chain to hold strikes out of"]
    (snapshot,) = read_refs(refs[-1:])
    quotes = build_quotes(snapshot, config.cleaning)
    if quotes.n < config.judgement.min_quotes:
        return pd.DataFrame(), [f"{underlying}: the last archived chain has {quotes.n} quotes"]
    # From one start, which ends where three do, the slow ones cost well under half.
    once = replace(config.calibration, restarts=1)
    asked = dict.fromkeys((m for m in models if m in MODELS), config.calibration)
    asked |= dict.fromkeys((m for m in WEEKLY if m not in asked), once)
    rows = [
        {
            **vars(folds.held_out(MODELS[m], quotes, settings=settings)),
            "as_of": pd.Timestamp(snapshot.as_of_ms, unit="ms", tz="UTC"),
        }
        for m, settings in asked.items()
    ]
    return pd.DataFrame(rows), []
