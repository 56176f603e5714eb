"""Evidence on reference books: chains of known smiles, fitted tonight and the night before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from monitor.calibration.solve import calibrate
from monitor.conventions import MS_PER_DAY
from monitor.diagnostics.base import METRICS, Evidence, History, MetricValue, PastFit
from monitor.diagnostics.lastnight import stderr_of
from monitor.market.quotes import Quotes
from monitor.market.snapshot import Snapshot
from monitor.models import MODELS
from monitor.outcome import Rejection
from monitor.pricing.black import black_vega

F0 = 80_000.0


def quotes_of(c, venue="deribit"):
    """Return a chain as tonight's quotes."""
    expiries, index = np.unique(c.expiry_ms, return_inverse=True)
    first = np.searchsorted(index, np.arange(len(expiries)))
    nothing = np.full(c.n, np.nan)
    iv = 0.5 * (c.iv_bid + c.iv_ask)
    c_bid, c_ask = c.premiums(np.arange(c.n))
    return Quotes(
        venue=venue,
        underlying="BTC",
        as_of_ms=c.as_of_ms,
        expiry_ms=expiries,
        tau=c.tau[first],
        forward=c.forward[first],
        discount=np.ones(len(expiries)),
        parity_low=np.full(len(expiries), np.nan),
        parity_high=np.full(len(expiries), np.nan),
        expiry_index=index,
        instrument=tuple(c.label(i) for i in range(c.n)),
        strike=c.strike,
        k=c.k,
        sign=c.sign,
        c_bid=c_bid,
        c_ask=c_ask,
        tick=np.full(c.n, 0.0001),
        iv_bid=c.iv_bid,
        iv_ask=c.iv_ask,
        iv=iv,
        vega=black_vega(c.k, iv**2 * c.tau) * np.sqrt(c.tau),
        noise=0.5 * (c.iv_ask - c.iv_bid),
        mark_iv=nothing,
        open_interest=nothing,
        n_selected=c.n,
        rejections=(),
    )


def snapshot_at(as_of_ms, price_unit="coin"):
    """Return a snapshot of one option: of it the money metrics want the time and the unit."""
    one = np.ones(1)
    return Snapshot(
        "deribit",
        "BTC",
        as_of_ms,
        price_unit,
        ("BTC-X",),
        ("SYN",),
        np.array([as_of_ms + 30 * MS_PER_DAY]),
        np.array([True]),
        *(F0 * one, F0 * one, 0.05 * one, 0.06 * one, 0.055 * one, 0.5 * one, one, one),
    )


def evidence_on(c, model="svi", *, iv=None, history=None, price_unit="coin", venue="deribit"):
    """Return the evidence on a model fitted to a chain; `iv` replaces what it says."""
    quotes = quotes_of(c, venue)
    fit = calibrate(MODELS[model], quotes)
    if iv is not None:
        fit = replace(fit, iv=iv)
    return Evidence(
        snapshot_at(c.as_of_ms, price_unit), quotes, history or History(), MODELS[model], fit
    )


def history_of(c, *models):
    quotes = quotes_of(c)
    fits = {}
    for name in models:
        fit = calibrate(MODELS[name], quotes)
        errors = stderr_of(fit.covariance)
        fits[name] = PastFit(
            name, c.as_of_ms, quotes.expiry_ms, quotes.tau, fit.names, fit.params, errors
        )
    return History(fits=fits, last_chain=c)


def measured(name, evidence):
    """Return the values by scope, and the rejections."""
    found = list(METRICS[name].compute(evidence))
    values = {o.scope: o for o in found if isinstance(o, MetricValue)}
    return values, [o for o in found if isinstance(o, Rejection)]


def value(name, evidence, scope="chain"):
    return measured(name, evidence)[0][scope].value
