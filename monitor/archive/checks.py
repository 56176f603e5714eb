"""What is refused in the rows of one recorded snapshot, and how the refusal reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from monitor.arrays import BoolArray, FloatArray, IntArray
from monitor.errors import ArchiveError

# A whole chain's median implied vol outside of these is a unit error, not a market: Bitcoin's own
# was 0.41 to 0.84 through the crash of February 2026.
MEDIAN_VOL_RANGE = (0.02, 5.0)
# Marks of a call and put at one strike differ by 1 - K/F; recorded chains keep it to 1e-3.
_PARITY_TOLERANCE = 0.05

Columns = Mapping[str, np.ndarray[Any, Any]]


def require_whole_rows(where: str, columns: Columns) -> None:
    """Refuse rows that do not say which option they are of, or at which forward.

    Raises
    ------
    ArchiveError
        If a strike or forward is not a positive number, ``cp`` is neither C nor P, or the snapshot
        mixes price units.
    """
    instrument = columns["instrument"]
    for name in ("strike", "forward"):
        bad = ~(np.isfinite(columns[name]) & (columns[name] > 0))
        if bad.any():
            i = int(np.argmax(bad))
            raise ArchiveError(
                f"{where}: {name} is {columns[name][i]} for {instrument[i]} ({int(bad.sum())} such "
                "rows); it must be a positive number in dollars per coin. Correct or remove them"
            )
    bad = ~np.isin(columns["cp"], ("C", "P"))
    if bad.any():
        i = int(np.argmax(bad))
        raise ArchiveError(
            f"{where}: cp is {columns['cp'][i]!r} for {instrument[i]}; it must be C or P"
        )
    units = sorted(set(columns["price_unit"]))
    if len(units) != 1 or units[0] not in ("coin", "usd"):
        raise ArchiveError(
            f"{where}: price_unit is {', '.join(map(repr, units))}; every row of a snapshot must "
            "say 'coin', or every row 'usd'"
        )


def distinct_rows(where: str, columns: Columns) -> tuple[IntArray, int]:
    """Return the rows to keep, one an instrument, and how many exact repetitions were dropped.

    Raises
    ------
    ArchiveError
        If two rows of one instrument differ in any column: nothing says which one is right.
    """
    names, first, inverse = np.unique(columns["instrument"], return_index=True, return_inverse=True)
    n = len(columns["instrument"])
    if len(names) == n:
        return np.arange(n), 0
    twin = first[inverse]
    for name, column in columns.items():
        same = column == column[twin]
        if column.dtype.kind == "f":
            same |= np.isnan(column) & np.isnan(column[twin])
        if not same.all():
            i = int(np.argmin(same))
            raise ArchiveError(
                f"{where}: two rows for {columns['instrument'][i]} differ in {name}: "
                f"{column[twin[i]]} and {column[i]}. One snapshot has one row an instrument; "
                "remove the wrong one, or give the second its own ts"
            )
    return np.sort(first), n - len(names)


def require_plausible_units(
    where: str,
    price_unit: str,
    *,
    expiry_ms: IntArray,
    is_call: BoolArray,
    strike: FloatArray,
    forward: FloatArray,
    mark: FloatArray,
    mark_iv: FloatArray,
) -> None:
    """Refuse vols that must be in percent, and prices that must be in the other unit.

    The price's unit is told by put-call parity of the marks, which needs no model: a call less a
    put is 1 - K/F in coin and F - K in dollars.

    Raises
    ------
    ArchiveError
        With the numbers that give it away.
    """
    vols = mark_iv[np.isfinite(mark_iv)]
    low, high = MEDIAN_VOL_RANGE
    if len(vols) and not low <= np.median(vols) <= high:
        raise ArchiveError(
            f"{where}: mark_iv has a median of {np.median(vols):.4g}; vols are decimals (0.65 for "
            f"65 %), a chain's median lies in {low} to {high}. Percentages must be divided by 100"
        )
    gap_coin, gap_usd = _parity_gaps(expiry_ms, is_call, strike, forward, mark)
    if len(gap_coin) == 0:
        calls = mark[is_call & np.isfinite(mark)]
        if price_unit == "coin" and len(calls) and np.median(calls) > 1:
            raise ArchiveError(
                f"{where}: price_unit is 'coin' but the median call is worth "
                f"{np.median(calls):.6g} coins, and a call is never worth more than 1: these look "
                "like dollars. Label them 'usd' or divide by the forward"
            )
        return
    labelled, other = gap_coin, gap_usd
    if price_unit == "usd":
        labelled, other = gap_usd, gap_coin
    found, rival = float(np.median(labelled)), float(np.median(other))
    if found > _PARITY_TOLERANCE and rival < 0.1 * found:
        right = "usd" if price_unit == "coin" else "coin"
        raise ArchiveError(
            f"{where}: price_unit is {price_unit!r} but call less put misses parity by {found:.4g} "
            f"of the forward (median of {len(labelled)} strikes); read as {right!r} it misses by "
            f"{rival:.2g}. Label the prices {right!r} or convert them"
        )


def _parity_gaps(
    expiry_ms: IntArray,
    is_call: BoolArray,
    strike: FloatArray,
    forward: FloatArray,
    mark: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return |c - p - (1 - K/F)| with prices read as coin and as dollars, one entry a pair."""
    order = np.lexsort((is_call, strike, expiry_ms))
    put, call = order[:-1], order[1:]
    pair = (
        (expiry_ms[put] == expiry_ms[call])
        & (strike[put] == strike[call])
        & ~is_call[put]
        & is_call[call]
        & np.isfinite(mark[put])
        & np.isfinite(mark[call])
    )
    put, call = put[pair], call[pair]
    difference = mark[call] - mark[put]
    parity = 1.0 - strike[call] / forward[call]
    return np.abs(difference - parity), np.abs(difference / forward[call] - parity)
