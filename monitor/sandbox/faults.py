"""What can go wrong between a venue and a desk, on demand.

A `Fault` names its kind, the requests it strikes (by path and parameters) and when (after so many
requests, for so many, or between two virtual times). Faults of transport spoil the answer's bytes;
faults of content change the market behind it, so that the answer itself is well formed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from zlib import crc32

import numpy as np

from monitor.arrays import BoolArray
from monitor.errors import UnknownNameError
from monitor.market.snapshot import CHAIN_FLOATS, Snapshot

TRANSPORT = {
    "timeout": "no answer for `amount` seconds",
    "rate_limit": "429 with the venue's too_many_requests",
    "server_error": "status `amount` (default 503) with a page of text",
    "html": "a web page with status 200",
    "empty_body": "status 200 and no body",
    "empty_object": "{}",
    "null_result": "an envelope whose result is null",
    "truncated": "JSON that ends after the share `amount` (default a half)",
    "cut_off": "fewer bytes than announced, then the connection ends",
    "dropped": "the connection ends without an answer",
    "maintenance": "the venue's system_maintenance",
}
CONTENT = {
    "stale": "the chain as it was `amount` seconds ago (default a day)",
    "crossed": "bid and ask exchanged on the share `amount` of two-sided quotes (default 0.05)",
    "half": "only the share `amount` of the rows (default a half)",
    "listing_day": "the list of instruments lacks the share `amount` of the chain (default 0.05)",
}
_DEFAULTS = {"timeout": 30.0, "server_error": 503, "truncated": 0.5, "cut_off": 0.5}
_DEFAULTS |= {"stale": 86_400.0, "crossed": 0.05, "half": 0.5, "listing_day": 0.05}


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Attributes
    ----------
    kind : str
        A key of `TRANSPORT` or `CONTENT`.
    path : str
        Method struck, e.g. ``get_time``; empty for every one that the kind can strike.
    params : mapping
        Parameters that the request must carry, e.g. ``{"kind": "option"}``.
    after : int
        Matching requests let through first.
    times : int or None
        Requests struck; None for all.
    since_ms, until_ms : int or None
        Only at virtual times ``since_ms <= now < until_ms``.
    amount : float or None
        What the kind says; None for its default.
    """

    kind: str
    path: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    after: int = 0
    times: int | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    amount: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in TRANSPORT and self.kind not in CONTENT:
            raise UnknownNameError("fault", self.kind, (*TRANSPORT, *CONTENT))

    @property
    def size(self) -> float:
        """The amount, or the kind's default."""
        return float(_DEFAULTS.get(self.kind, 0.0) if self.amount is None else self.amount)

    def strikes(self, path: str, params: Mapping[str, str], now_ms: int) -> bool:
        """Return whether the fault concerns this request, counts aside."""
        return (
            (not self.path or self.path == path)
            and all(params.get(k) == v for k, v in self.params.items())
            and (self.since_ms is None or now_ms >= self.since_ms)
            and (self.until_ms is None or now_ms < self.until_ms)
        )


class FaultPlan:
    """The faults of a sandbox and how often each has struck; safe to use from its threads."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self._seen: list[tuple[Fault, int]] = [(fault, 0) for fault in faults]

    def add(self, *faults: Fault) -> None:
        """Let more go wrong from now on."""
        with self._lock:
            self._seen += [(fault, 0) for fault in faults]

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        with self._lock:
            self._seen.clear()

    def draw(self, path: str, params: Mapping[str, str], now_ms: int) -> list[Fault]:
        """Count one request and return the faults that strike it, in the order given."""
        struck = []
        with self._lock:
            for i, (fault, seen) in enumerate(self._seen):
                if not fault.strikes(path, params, now_ms):
                    continue
                self._seen[i] = (fault, seen + 1)
                if seen >= fault.after and (
                    fault.times is None or seen < fault.after + fault.times
                ):
                    struck.append(fault)
        return struck


def rows_kept(chain: Snapshot, keep: BoolArray) -> Snapshot:
    """Return the chain with the rows where `keep` is true."""
    i = np.flatnonzero(keep)
    columns = {name: getattr(chain, name)[i] for name in CHAIN_FLOATS}
    return replace(
        chain,
        instrument=tuple(chain.instrument[j] for j in i),
        underlying_index=tuple(chain.underlying_index[j] for j in i),
        expiry_ms=chain.expiry_ms[i],
        is_call=chain.is_call[i],
        **columns,
    )


def chosen(chain: Snapshot, share: float) -> BoolArray:
    """Return which options a fault concerns: by their names, so the same at every request."""
    return chosen_names(chain.instrument, share)


def chosen_names(names: Sequence[str], share: float) -> BoolArray:
    """Return a share of names, the same ones whenever they are asked together."""
    draw = np.array([crc32(name.encode()) for name in names], dtype=np.float64)
    rank = np.argsort(np.argsort(draw))
    return np.asarray(rank < round(share * len(names)))


def crossed(chain: Snapshot, share: float) -> Snapshot:
    """Return the chain with bid and ask exchanged on a share of its two-sided quotes."""
    two_sided = np.isfinite(chain.bid) & np.isfinite(chain.ask)
    here = chosen(chain, share / max(two_sided.mean(), 1e-9)) & two_sided
    return replace(
        chain, bid=np.where(here, chain.ask, chain.bid), ask=np.where(here, chain.bid, chain.ask)
    )


def halved(chain: Snapshot, share: float) -> Snapshot:
    """Return the chain with only a share of its rows."""
    return rows_kept(chain, chosen(chain, share))


def with_stale(chain: Snapshot, last: Snapshot, expiry_ms: int) -> Snapshot:
    """Return the chain with one expiry's bids and asks as they were in an earlier one."""
    then = {name: i for i, name in enumerate(last.instrument)}
    at = np.array([then.get(name, -1) for name in chain.instrument])
    here = (chain.expiry_ms == expiry_ms) & (at >= 0)
    return replace(
        chain,
        bid=np.where(here, last.bid[at], chain.bid),
        ask=np.where(here, last.ask[at], chain.ask),
    )


CHANGES: Mapping[str, Callable[[Snapshot, float], Snapshot]] = {"crossed": crossed, "half": halved}
