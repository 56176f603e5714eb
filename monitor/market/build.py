"""From a snapshot to quotes: forwards, coordinates, implied vols, cleaning, noise."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase

import numpy as np

from monitor.arrays import BoolArray, FloatArray, IntArray
from monitor.conventions import (
    expiry_label,
    log_moneyness_from_strike,
    premium_from_quote,
    tenor,
)
from monitor.market.cleaning import CleaningRules, first_reason, tick_size
from monitor.market.forward import parity_bounds, venue_forward
from monitor.market.quotes import Quotes
from monitor.market.snapshot import CHAIN_FLOATS, Snapshot
from monitor.outcome import Rejection
from monitor.pricing.black import black_vega
from monitor.pricing.implied import implied_deviation

HOURS_PER_YEAR = 365.0 * 24.0

Columns = dict[str, FloatArray]


def build_quotes(snapshot: Snapshot, rules: CleaningRules) -> Quotes:
    """Return the clean out-of-the-money chain of a snapshot.

    Of each strike the out-of-the-money option is selected: calls above the forward, puts at and
    below it. The other carries the same vol by parity at a wider spread; it is not rejected, it is
    not asked.

    Parameters
    ----------
    snapshot : Snapshot
    rules : CleaningRules

    Returns
    -------
    Quotes
        Without quotes where none is left; the rejections say why.
    """
    snapshot, rejections = _without_excluded(snapshot, rules)
    expiry_ms, which = np.unique(snapshot.expiry_ms, return_inverse=True)
    tau = tenor(snapshot.as_of_ms, expiry_ms)
    forward = np.array([venue_forward(snapshot, int(e)) for e in expiry_ms])
    rejections += _short_expiries(expiry_ms, tau, rules)

    out_of_the_money = np.where(
        snapshot.is_call, snapshot.strike > forward[which], snapshot.strike <= forward[which]
    )
    # The snapshot is sorted by (expiry, strike): what is selected is sorted by (tau, k).
    rows = np.flatnonzero(out_of_the_money & (tau[which] * HOURS_PER_YEAR >= rules.min_tenor_h))
    columns = _coordinates(snapshot, rows, tau[which[rows]], forward[which[rows]])
    reasons = _reasons(columns, rules)
    rejections += [
        Rejection("quote", reason, snapshot.instrument[row], _detail(reason, columns, i, rules))
        for i, (reason, row) in enumerate(zip(reasons, rows, strict=True))
        if reason is not None
    ]
    good = np.array([reason is None for reason in reasons], dtype=bool)
    counts = np.bincount(which[rows[good]], minlength=len(expiry_ms))
    asked = np.bincount(which[rows], minlength=len(expiry_ms)) > 0
    thin = asked & (counts < rules.min_quotes_per_expiry)
    rejections += [
        Rejection(
            "expiry",
            "thin",
            expiry_label(int(expiry_ms[j])),
            f"{counts[j]} quotes, at least {rules.min_quotes_per_expiry} wanted",
        )
        for j in np.flatnonzero(thin)
    ]
    good &= ~thin[which[rows]]
    kept = np.flatnonzero(asked & ~thin)
    bounds = np.array([parity_bounds(snapshot, int(e)) for e in expiry_ms[kept]]).reshape(-1, 2)
    return Quotes(
        venue=snapshot.venue,
        underlying=snapshot.underlying,
        as_of_ms=snapshot.as_of_ms,
        expiry_ms=expiry_ms[kept],
        tau=tau[kept],
        forward=forward[kept],
        discount=np.ones(len(kept)),
        parity_low=bounds[:, 0],
        parity_high=bounds[:, 1],
        expiry_index=np.searchsorted(kept, which[rows[good]]),
        instrument=tuple(snapshot.instrument[i] for i in rows[good]),
        n_selected=len(rows),
        rejections=tuple(rejections),
        **{name: column[good] for name, column in columns.items()},
    )


def _without_excluded(snapshot: Snapshot, rules: CleaningRules) -> tuple[Snapshot, list[Rejection]]:
    """Return the snapshot without what is left out by hand, and what that was.

    It is no judgement on the feed: it counts in no rejection rate, and no forward is checked by it.
    """
    out = [any(fnmatchcase(name, p) for p in rules.excluded) for name in snapshot.instrument]
    if not any(out):
        return snapshot, []
    kept = np.flatnonzero(~np.array(out))
    columns = {
        name: getattr(snapshot, name)[kept] for name in (*CHAIN_FLOATS, "expiry_ms", "is_call")
    }
    names = {
        name: tuple(getattr(snapshot, name)[i] for i in kept)
        for name in ("instrument", "underlying_index")
    }
    rejections = [
        Rejection("exclusion", "excluded", name, "left out by hand")
        for name, is_out in zip(snapshot.instrument, out, strict=True)
        if is_out
    ]
    return replace(snapshot, **columns, **names), rejections


def _short_expiries(expiry_ms: IntArray, tau: FloatArray, rules: CleaningRules) -> list[Rejection]:
    hours = tau * HOURS_PER_YEAR
    return [
        Rejection(
            "expiry",
            "expired" if tau[j] <= 0 else "too_short",
            expiry_label(int(expiry_ms[j])),
            f"{hours[j]:.1f} h to expiry, at least {rules.min_tenor_h:g} h wanted",
        )
        for j in np.flatnonzero(hours < rules.min_tenor_h)
    ]


def _coordinates(
    snapshot: Snapshot, rows: IntArray, tau: FloatArray, forward: FloatArray
) -> Columns:
    """Return the columns of the selected rows; vols are NaN where a side has none."""
    unit = snapshot.price_unit
    strike = snapshot.strike[rows]
    k = log_moneyness_from_strike(strike, forward)
    sign = np.where(snapshot.is_call[rows], 1.0, -1.0)
    c_bid = premium_from_quote(snapshot.bid[rows], forward, unit)
    c_ask = premium_from_quote(snapshot.ask[rows], forward, unit)
    root = np.sqrt(tau)
    v_bid, _ = implied_deviation(k, c_bid, sign)
    v_ask, _ = implied_deviation(k, c_ask, sign)
    iv_bid, iv_ask = v_bid / root, v_ask / root
    iv = 0.5 * (iv_bid + iv_ask)
    vega = black_vega(k, (iv * root) ** 2) * root
    tick = premium_from_quote(tick_size(snapshot.ask[rows], unit), forward, unit)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Half the width in vol, floored at half a tick: a narrow market is no exact observation.
        noise = np.maximum(0.5 * (iv_ask - iv_bid), 0.5 * tick / vega)
    return {
        "strike": strike,
        "k": k,
        "sign": sign,
        "c_bid": c_bid,
        "c_ask": c_ask,
        "tick": tick,
        "iv_bid": iv_bid,
        "iv_ask": iv_ask,
        "iv": iv,
        "vega": vega,
        "noise": noise,
        "mark_iv": snapshot.mark_iv[rows],
        "open_interest": snapshot.open_interest[rows],
    }


def _reasons(columns: Columns, rules: CleaningRules) -> list[str | None]:
    c_bid, c_ask = columns["c_bid"], columns["c_ask"]
    iv_bid, iv_ask = columns["iv_bid"], columns["iv_ask"]
    maximum = np.where(columns["sign"] > 0, 1.0, np.exp(columns["k"]))
    tests: list[tuple[str, BoolArray]] = [
        ("no_bid", ~(c_bid > 0)),
        ("no_ask", ~(c_ask > 0)),
        ("crossed", c_bid > c_ask),
        ("locked", c_bid == c_ask),
        ("above_maximum", c_ask >= maximum),
        ("no_vol", ~np.isfinite(iv_bid) | ~np.isfinite(iv_ask)),
        ("too_wide", ~(iv_ask - iv_bid <= rules.max_width_iv)),
        # A premium whose bid and ask share one vol to the last digit tells nothing.
        ("no_vega", ~(columns["vega"] > 0) | ~(iv_ask > iv_bid)),
    ]
    return first_reason(tests)


def _detail(reason: str, columns: Columns, i: int, rules: CleaningRules) -> str:
    if reason == "too_wide":
        width = columns["iv_ask"][i] - columns["iv_bid"][i]
        return f"{width:.4f} vol wide, at most {rules.max_width_iv:g} wanted"
    return f"bid {columns['c_bid'][i]:.6g}, ask {columns['c_ask'][i]:.6g} of the forward"
