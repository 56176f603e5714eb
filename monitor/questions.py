"""The history in Python: questions in, frames out, for notebooks.

::

    from monitor import history, surface, status

Imports config, store and below; pandas is loaded by the first question, not by the import. Each
call opens the configured database for reading and closes it. Times are days (``"2026-02-05"``),
ISO times or aware datetimes, UTC; a bare day as an upper bound is meant whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.config import load_config
from monitor.errors import UsageError
from monitor.store import Store, open_store

if TYPE_CHECKING:
    import pandas as pd

Moment = str | date | datetime
_TICK = timedelta(milliseconds=1)


def history(
    metric: str,
    *,
    model: str | None = None,
    underlying: str | None = None,
    venue: str | None = None,
    scope: str | None = "chain",
    cadence: str | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    as_known: Moment | None = None,
    assume_live: bool = False,
    config: Path | str | None = None,
    database: str | None = None,
) -> pd.DataFrame:
    """Return one metric through time, oldest first.

    Parameters
    ----------
    metric : str
        One of `misspec metrics`.
    model, underlying, venue, cadence : str, optional
        Only these.
    scope : str or None
        ``chain``, ``wing:put``, ``expiry:2026-03-27``, ``param:kappa``, …; None for all.
    since, until : str, date or datetime, optional
        Of the venue's time, both included.
    as_known : str, date or datetime, optional
        By what the desk knew then.
    assume_live : bool
        Count backfilled nights as known at their own time.
    config : path, optional
        The TOML file; else ``MISSPEC_CONFIG``, else the defaults.
    database : str, optional
        A URL, in place of the configured one.

    Returns
    -------
    DataFrame
        ``as_of, run_id, venue, underlying, cadence, model, metric, scope, value, unit, n,
        stderr``; ``model`` is None for the market, ``stderr`` NaN where none is known.

    Raises
    ------
    UnknownNameError
        If no metric is registered by that name.
    StoreUnavailable
        If nothing is stored, or the database does not answer.
    """
    from monitor.diagnostics import METRICS
    from monitor.store.frames import history_frame

    METRICS[metric]
    with _opened(config, database) as store:
        return history_frame(
            store,
            metric,
            model=model,
            underlying=underlying,
            venue=venue,
            scope=scope,
            cadence=cadence,
            since=_first(since),
            until=_last(until),
            as_known=_last(as_known),
            assume_live=assume_live,
        )


def status(
    *,
    at: Moment | None = None,
    as_known: Moment | None = None,
    assume_live: bool = False,
    config: Path | str | None = None,
    database: str | None = None,
) -> pd.DataFrame:
    """Return the verdict board at `at`, by what the desk knew at `as_known`; see `history`.

    Returns
    -------
    DataFrame
        ``as_of, venue, underlying, cadence, model, status, reason, findings, run_id``.
    """
    from monitor.store.frames import status_frame

    with _opened(config, database) as store:
        known = _last(as_known)
        return status_frame(store, at=_last(at), as_known=known, assume_live=assume_live)


def surface(
    underlying: str,
    *,
    at: Moment | None = None,
    models: Sequence[str] | None = None,
    venue: str | None = None,
    cadence: str | None = None,
    config: Path | str | None = None,
    database: str | None = None,
) -> pd.DataFrame:
    """Return the market's smile against each model's, quote by quote, of the night at `at`.

    Returns
    -------
    DataFrame
        See `monitor.store.frames.surface_frame`; vols are decimals, ``residual`` is model less
        market.
    """
    from monitor.store.frames import surface_frame

    with _opened(config, database) as store:
        return surface_frame(
            store,
            underlying=underlying,
            at=_last(at),
            venue=venue,
            cadence=cadence,
            models=models,
        )


def parameters(
    model: str,
    *,
    underlying: str | None = None,
    venue: str | None = None,
    cadence: str | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    as_known: Moment | None = None,
    config: Path | str | None = None,
    database: str | None = None,
) -> pd.DataFrame:
    """Return a model's fitted parameters through time, with their standard errors.

    Returns
    -------
    DataFrame
        ``as_of, run_id, venue, underlying, cadence, model, parameter, value, stderr, at_bound,
        status``; ``at_bound`` is -1 at the lower bound, +1 at the upper, else 0.
    """
    from monitor.models import MODELS
    from monitor.store.frames import parameters_frame

    MODELS[model]
    with _opened(config, database) as store:
        return parameters_frame(
            store,
            model=model,
            underlying=underlying,
            venue=venue,
            cadence=cadence,
            since=_first(since),
            until=_last(until),
            as_known=_last(as_known),
        )


def compare(
    underlying: str,
    *,
    models: Sequence[str],
    at: Sequence[Moment | None] = (None,),
    venue: str | None = None,
    cadence: str | None = None,
    config: Path | str | None = None,
    database: str | None = None,
) -> pd.DataFrame:
    """Return two models of one night, or one model on two nights, number by number.

    See `monitor.store.pairs.compare_frame`.
    """
    from monitor.store.pairs import compare_frame

    with _opened(config, database) as store:
        moments = [_last(moment) for moment in at]
        return compare_frame(
            store, underlying, models=models, at=moments, venue=venue, cadence=cadence
        )


@contextmanager
def _opened(config: Path | str | None, database: str | None) -> Iterator[Store]:
    if database is None:
        database = load_config(Path(config) if config is not None else None).database
    with open_store(database, readonly=True) as store:
        yield store


def _first(moment: Moment | None) -> datetime | None:
    return None if moment is None else _read(moment)[0]


def _last(moment: Moment | None) -> datetime | None:
    if moment is None:
        return None
    at, is_day = _read(moment)
    return at + timedelta(days=1) - _TICK if is_day else at


def _read(moment: Moment) -> tuple[datetime, bool]:
    """Return a moment as an aware datetime, and whether a whole day was named."""
    if isinstance(moment, str):
        try:
            moment = date.fromisoformat(moment)
        except ValueError:
            try:
                moment = datetime.fromisoformat(moment)
            except ValueError:
                raise UsageError(
                    f"{moment!r} is no time; give a day (2026-02-05) or a time (2026-02-05T14:00)"
                ) from None
    if not isinstance(moment, datetime):
        return datetime.combine(moment, time(), UTC), True
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC), False
