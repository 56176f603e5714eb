r"""The smile without a model: what the market says of level, skew and curvature.

Vols are read off parabolas through the mid vols about a place, half a dozen of them and one
deviation to expiry either way at the least. Flexible models follow a bent wing and stiff ones drown
it; these numbers do neither.

*Refused:* straight lines between neighbouring mids. Where half of the strikes have no quote they
lie higher at the money by .98, .70, .46 vol points at 7, 30 and 90 days (ETH in the sandbox),
parabolas by .50, .24 and .18; a spot that falls makes strikes sparse as well. What an expiry is out
of line by stirs from night to night by 12 and 16 for 17 and 24 basis points (BTC, ETH).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from monitor.arrays import FloatArray
from monitor.conventions import expiry_label
from monitor.diagnostics.base import CHAIN, Evidence, Metric, Outcome, metric
from monitor.diagnostics.places import call_delta
from monitor.market.quotes import Quotes
from monitor.numerics.local import local_parabola
from monitor.outcome import Rejection
from monitor.pricing.black import black_price

TAU_30D = 30.0 / 365.0
_DELTAS = {"25": 0.25, "10": 0.10}
_FINE = 100  # points of a slice's fine grid in k
_REACH = 1.0  # of a parabola, in deviations to expiry
_FEWEST = 4  # quotes that parabolas are laid through
# The index comes as closing values of whole hours that are stamped with their beginning.
_DVOL_MAX_AGE_MS = 2 * 3_600_000


@dataclass(frozen=True, eq=False)
class SliceSmile:
    """One expiry's mid smile and its noise as functions of k, inside the quoted range."""

    tau: float
    k: FloatArray
    iv: FloatArray
    noise: FloatArray

    def _read(self, k: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return vols and their noise inside the quoted range."""
        if len(self.k) < _FEWEST:
            return np.interp(k, self.k, self.iv), np.interp(k, self.k, self.noise)
        deviation = float(np.interp(0.0, self.k, self.iv)) * np.sqrt(self.tau)
        return local_parabola(self.k, self.iv, self.noise, k, reach=_REACH * deviation)

    @cached_property
    def money(self) -> tuple[float, float] | None:
        """Vol and noise at the forward, or None outside the quoted range."""
        if not self.k[0] <= 0.0 <= self.k[-1]:
            return None
        vol, noise = self._read(np.zeros(1))
        return float(vol[0]), float(noise[0])

    def at_call_delta(self, delta: float) -> tuple[float, float] | None:
        """Return vol and noise where a call has this forward delta, or None likewise."""
        deltas, vol, noise = self._by_delta
        if not deltas[0] <= delta <= deltas[-1]:
            return None
        return float(np.interp(delta, deltas, vol)), float(np.interp(delta, deltas, noise))

    @cached_property
    def _by_delta(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return rising deltas of calls, and vol and noise there: one curve for all asked for."""
        fine = np.linspace(self.k[0], self.k[-1], _FINE)
        vol, noise = self._read(fine)
        deltas = call_delta(fine, vol * np.sqrt(self.tau))
        # Delta falls with k wherever the smile has no arbitrage; sorting keeps a bad one defined.
        order = np.argsort(deltas)
        return deltas[order], vol[order], noise[order]


@lru_cache(maxsize=4)
def slices(quotes: Quotes) -> tuple[SliceSmile, ...]:
    """Return every expiry's smile."""
    made = []
    for j, tau in enumerate(quotes.tau):
        here = quotes.expiry_index == j
        made.append(SliceSmile(float(tau), quotes.k[here], quotes.iv[here], quotes.noise[here]))
    return tuple(made)


def read_smile(smile: SliceSmile, kind: str) -> tuple[float, float] | None:
    """Return one smile number with its noise: ``atm``, ``rr25``, ``bf25``, ``rr10``, ``bf10``."""
    atm = smile.money
    if kind == "atm" or atm is None:
        return atm
    delta = _DELTAS[kind[2:]]
    call, put = smile.at_call_delta(delta), smile.at_call_delta(1.0 - delta)
    if call is None or put is None:
        return None
    if kind.startswith("rr"):
        return call[0] - put[0], float(np.hypot(call[1], put[1]))
    wings = 0.5 * (call[0] + put[0]) - atm[0]
    return wings, float(np.sqrt(0.25 * (call[1] ** 2 + put[1] ** 2) + atm[1] ** 2))


def _per_expiry(metric: Metric, evidence: Evidence, kind: str) -> Iterator[Outcome]:
    quotes = evidence.quotes
    known_tau, known = [], []
    for smile, expiry_ms in zip(slices(quotes), quotes.expiry_ms, strict=True):
        label = f"expiry:{expiry_label(int(expiry_ms))}"
        read = read_smile(smile, kind)
        if read is None:
            detail = f"k from {smile.k[0]:.3f} to {smile.k[-1]:.3f}"
            yield Rejection("metric", "outside_quoted_range", f"{metric.name}/{label}", detail)
            continue
        known_tau.append(smile.tau)
        known.append(read)
        yield metric.value(evidence, read[0], scope=label, n=len(smile.k), stderr=read[1])
    at30 = at_30_days(np.array(known_tau), np.array([r[0] for r in known]), kind)
    if at30 is None:
        detail = "fewer than two expiries around or beyond 30 days show it"
        yield Rejection("metric", "no_30_days", f"{metric.name}/{CHAIN}", detail)
    else:
        yield metric.value(evidence, at30, n=len(known))


def at_30_days(tau: FloatArray, value: FloatArray, kind: str) -> float | None:
    """Return the value at 30 days between the two expiries around it, or None.

    At-the-money vols are interpolated in total variance, skews and curvatures in root tenor, the
    scale on which they age least.
    """
    if len(tau) < 2 or not tau[0] <= TAU_30D <= tau[-1]:
        return None
    if kind == "atm":
        return float(np.sqrt(np.interp(TAU_30D, tau, value**2 * tau) / TAU_30D))
    return float(np.interp(np.sqrt(TAU_30D), np.sqrt(tau), value))


def _register() -> None:
    words = {
        "atm": ("atm_iv", "Mid implied vol at the forward"),
        "rr25": ("rr25", "25-delta risk reversal: call vol minus put vol"),
        "bf25": ("bf25", "25-delta butterfly: mean of call and put vol minus the vol at k = 0"),
        "rr10": ("rr10", "10-delta risk reversal: call vol minus put vol"),
        "bf10": ("bf10", "10-delta butterfly: mean of call and put vol minus the vol at k = 0"),
    }
    for kind, (name, text) in words.items():

        def compute(metric: Metric, evidence: Evidence, kind: str = kind) -> Iterator[Outcome]:
            return _per_expiry(metric, evidence, kind)

        register = metric(
            name,
            unit="vol",
            level="market",
            definition=f"{text}; for each expiry, and for the chain at 30 days. Forward delta. "
            "Read off local parabolas through mids; standard error: of independent quote noise.",
            source="Market convention; Malz (1997), without premium adjustment",
        )
        register(compute)


_register()


def variance_swap(quotes: Quotes, j: int) -> tuple[float, float]:
    r"""Return an expiry's model-free total variance, and the part that lies beyond the quotes.

    Notes
    -----
    .. math:: w = 2\int c_{otm}(k)\,e^{-k}\,dk

    with c from straight lines between mid vols, continued flat beyond the outermost quotes.

    References
    ----------
    .. [1] Carr, P. and Madan, D. (1998). Towards a theory of volatility trading.
    """
    smile = slices(quotes)[j]
    reach = 8.0 * float(np.max(smile.iv)) * np.sqrt(smile.tau)
    k = np.unique(
        np.concatenate([np.linspace(-reach, reach, 2001), [smile.k[0], 0.0, smile.k[-1]]])
    )
    iv = np.interp(k, smile.k, smile.iv)
    c = black_price(k, iv**2 * smile.tau, np.where(k > 0, 1.0, -1.0))
    integrand = 2.0 * c * np.exp(-k)
    inside = (k >= smile.k[0]) & (k <= smile.k[-1])
    total = float(np.trapezoid(integrand, k))
    return total, total - float(np.trapezoid(integrand[inside], k[inside]))


@metric(
    "iv30",
    unit="vol",
    level="market",
    definition="Root of the model-free 30-day variance, annualised: variance-swap rates of the two "
    "expiries around 30 days, interpolated in total variance. Standard error: the part of the "
    "variance that lies beyond the outermost quotes, as a vol.",
    source="Carr and Madan (1998); the venue's DVOL is of the same family",
)
def iv30(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the model-free 30-day vol."""
    read = thirty_day_vol(evidence.quotes)
    if read is None:
        yield Rejection("metric", "no_30_days", "iv30", "30 days lie outside the quoted expiries")
    else:
        yield metric.value(evidence, read[0], n=2, stderr=read[1])


def thirty_day_vol(quotes: Quotes) -> tuple[float, float] | None:
    """Return the model-free 30-day vol and its truncation error; None without expiries around."""
    if quotes.m < 2 or not quotes.tau[0] <= TAU_30D <= quotes.tau[-1]:
        return None
    j = int(np.clip(np.searchsorted(quotes.tau, TAU_30D), 1, quotes.m - 1))
    pair = [variance_swap(quotes, i) for i in (j - 1, j)]
    tau = quotes.tau[j - 1 : j + 1]
    w = float(np.interp(TAU_30D, tau, [p[0] for p in pair]))
    beyond = float(np.interp(TAU_30D, tau, [p[1] for p in pair]))
    vol = float(np.sqrt(w / TAU_30D))
    return vol, 0.5 * beyond / w * vol


@metric(
    "iv30_dvol_gap",
    unit="vol",
    level="market",
    definition="Model-free 30-day vol minus the venue's 30-day volatility index of the same hour.",
    source="Deribit DVOL",
)
def iv30_dvol_gap(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield the gap to the venue's index, where the venue gave one."""
    dvol = evidence.snapshot.context.dvol
    index = dvol.column("value")
    age = np.abs(evidence.snapshot.as_of_ms - dvol.time_ms)
    fresh = np.flatnonzero(np.isfinite(index) & (age <= _DVOL_MAX_AGE_MS))
    read = thirty_day_vol(evidence.quotes)
    if not len(fresh):
        detail = f"{len(dvol)} values of the volatility index, none of them of this hour"
        yield Rejection("metric", "no_dvol", metric.name, detail)
    elif read is None:
        yield Rejection("metric", "no_30_days", metric.name, "no 30-day vol")
    else:
        yield metric.value(evidence, read[0] - float(index[fresh[-1]]), n=1)
