"""The money again, slowly: scalar arithmetic, a coin account, textbook integrals, bumps.

Two nights of a generated market are fitted; what the metrics say of them is recomputed without any
of the package's pricing. Only the choice of the book's options is taken over.
"""

from __future__ import annotations

import cmath
from functools import cache, lru_cache
from math import erf, exp, inf, log, pi, sqrt

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from monitor.calibration.solve import calibrate
from monitor.diagnostics.base import METRICS, Evidence, History, MetricValue, PastFit
from monitor.diagnostics.lastnight import stderr_of
from monitor.market.build import build_quotes
from monitor.market.cleaning import CleaningRules
from monitor.models import MODELS
from monitor.replication.book import build_book
from monitor.replication.chain import PastChain
from tests.sandbox.rooms import MOMENT_MS, world

DAY_MS = 86_400_000
MODELS_ASKED = ("svi", "heston")
RELATIVE = 2e-6  # of a sum of dollars: integrals to 1e-8


def normal(x):
    return 0.5 * (1.0 + erf(x / sqrt(2.0)))


def black(F, K, deviation, sign):
    """Return the undiscounted dollar price."""
    d1 = log(F / K) / deviation + 0.5 * deviation
    return sign * (F * normal(sign * d1) - K * normal(sign * (d1 - deviation)))


def svi_price(params, F, K, tau, sign):
    a, b, rho, m, s = params
    k = log(K / F)
    w = a + b * (rho * (k - m) + sqrt((k - m) ** 2 + s * s))
    return black(F, K, sqrt(w), sign)


def heston_price(params, F, K, tau, sign):
    """Return Heston's price by his two probabilities, in the form without a branch cut."""
    v0, kappa, theta_v, xi, rho = params

    def cf(z):
        beta = kappa - 1j * rho * xi * z
        d = cmath.sqrt(beta * beta + xi * xi * (z * z + 1j * z))
        g, e = (beta - d) / (beta + d), cmath.exp(-d * tau)
        C = kappa * theta_v / xi**2 * ((beta - d) * tau - 2 * cmath.log((1 - g * e) / (1 - g)))
        return cmath.exp(C + v0 * (beta - d) / xi**2 * (1 - e) / (1 - g * e))

    k = log(K / F)

    def integrand(u, shift):
        return (cmath.exp(-1j * u * k) * cf(u - 1j * shift) / (1j * u)).real

    p1, p2 = (
        0.5 + quad(integrand, 0.0, inf, (shift,), limit=400, epsabs=1e-9, epsrel=1e-8)[0] / pi
        for shift in (1.0, 0.0)
    )
    call = F * p1 - K * p2
    return call if sign > 0 else call - F + K


class Twin:
    """One model's fits of two nights, and the book between them."""

    def __init__(self, name):
        self.name, model = name, MODELS[name]
        market = world()
        snapshots = [market.snapshot("BTC", MOMENT_MS + n * DAY_MS, brief=True) for n in (0, 1)]
        self.quotes = [build_quotes(s, CleaningRules()) for s in snapshots]
        fits = [calibrate(model, q) for q in self.quotes]
        then, past = self.quotes[0], fits[0]
        known = PastFit(
            name, then.as_of_ms, then.expiry_ms, then.tau, past.names, past.params,
            stderr_of(past.covariance),
        )  # fmt: skip
        self.chains = [PastChain.of(q) for q in self.quotes]
        history = History(fits={name: known}, last_chain=self.chains[0])
        self.evidence = Evidence(snapshots[1], self.quotes[1], history, model, fits[1])
        self.fits = fits
        self.coin = float(self.quotes[1].forward[0])  # dollars a coin: the nearest forward tonight

    def said(self, metric):
        found = METRICS[metric].compute(self.evidence)
        return {o.scope: o.value for o in found if isinstance(o, MetricValue)}

    @lru_cache(maxsize=1000)  # noqa: B019  two twins live as long as the tests do
    def price(self, night, expiry_ms, F, K, tau, sign, states=1.0):
        """Return the model's dollar price by its fit of a night, with states scaled."""
        fit, quotes = self.fits[night], self.quotes[night]
        if self.name == "svi":
            j = int(np.flatnonzero(quotes.expiry_ms == expiry_ms)[0])
            return svi_price(fit.params[5 * j : 5 * j + 5], F, K, tau, sign)
        v0, *rest = fit.params
        return heston_price((states * v0, *rest), F, K, tau, sign)

    def legs(self, night):
        """Yield quantity, expiry, forward, strike, tau, sign, vol at bid and at ask."""
        chain = self.chains[night]
        book = build_book(chain)
        for row, quantity in zip(book.row, book.quantity, strict=True):
            columns = (chain.expiry_ms, chain.forward, chain.strike, chain.tau, chain.sign)
            yield (
                float(quantity),
                *(c[row].item() for c in columns),
                *(float(c[row]) for c in (chain.iv_bid, chain.iv_ask)),
            )


@cache
def twin(name):
    return Twin(name)


@pytest.mark.parametrize("name", MODELS_ASKED)
def test_the_misfit_is_what_the_model_would_pay_more_for_the_book(name):
    t, net, gross = twin(name), 0.0, 0.0
    for quantity, expiry, F, K, tau, sign, bid, ask in t.legs(1):
        mid = 0.5 * (bid + ask)
        gap = t.price(1, expiry, F, K, tau, sign) - black(F, K, mid * sqrt(tau), sign)
        net += quantity * gap / F * t.coin
        gross += abs(quantity * gap / F * t.coin)
    assert gross > 1.0
    assert t.said("book_misfit_usd")["chain"] == pytest.approx(net, abs=RELATIVE * gross + 1e-3)
    assert t.said("book_misfit_gross_usd")["chain"] == pytest.approx(gross, rel=1e-4)


@pytest.mark.parametrize("name", MODELS_ASKED)
def test_the_hedged_night_is_what_a_coin_account_ends_with(name):
    """Sell at last night's mids, hedge with inverse futures, buy back tonight: coin by coin."""
    t, coins, fees, spread, hedges = twin(name), 0.0, 0.0, 0.0, {}
    tonight = t.chains[1]
    for quantity, expiry, F, K, tau, sign, bid, ask in t.legs(0):
        here = (tonight.expiry_ms == expiry) & (tonight.strike == K)
        if not here.any():
            continue
        i = int(np.flatnonzero(here)[0])
        F1, tau1 = float(tonight.forward[i]), float(tonight.tau[i])
        other = float(tonight.sign[i])  # the side of this strike that is out of the money now
        now = [
            black(F1, K, float(iv[i]) * sqrt(tau1), other)
            for iv in (tonight.iv_bid, tonight.iv_ask)
        ]
        if other != sign:  # call less put is forward less strike
            now = [price + sign * (F1 - K) for price in now]
        b0, a0 = (black(F, K, iv * sqrt(tau), sign) / F for iv in (bid, ask))
        b1, a1 = (price / F1 for price in now)
        c0, c1 = 0.5 * (b0 + a0), 0.5 * (b1 + a1)
        bump = 1e-4 * F
        up, down = (t.price(0, expiry, F + h, K, tau, sign) for h in (bump, -bump))
        delta = (up - down) / (2.0 * bump)
        notional = quantity * (delta - c0) * F  # dollars of inverse future sold
        coins -= quantity * c0
        coins += quantity * c1
        coins -= notional * (1.0 / F - 1.0 / F1)
        fees += abs(quantity) * (min(3e-4, 0.125 * c0) + min(3e-4, 0.125 * c1))
        spread += 0.5 * abs(quantity) * ((a0 - b0) + (a1 - b1))
        sold, _, _ = hedges.get(expiry, (0.0, F, F1))
        hedges[expiry] = (sold + notional, F, F1)
    fees += sum(5e-4 * abs(sold) * (1.0 / F + 1.0 / F1) for sold, F, F1 in hedges.values())
    assert len(hedges) == 3
    assert t.said("hedge_error_usd")["chain"] == pytest.approx(coins * t.coin, abs=0.02)
    assert t.said("hedge_cost_fees_usd")["chain"] == pytest.approx(fees * t.coin, rel=1e-6)
    assert t.said("hedge_cost_spread_usd")["chain"] == pytest.approx(spread * t.coin, rel=1e-6)


@pytest.mark.parametrize("name", MODELS_ASKED)
def test_each_stress_row_is_the_book_after_the_move_less_the_book_now(name):
    t = twin(name)
    said = t.said("stress_pnl_usd")
    checked = 0
    for vol, rule in (("same", None), ("up", up_vol), ("down", down_vol)):
        for spot in (-0.16, 0.16):
            cell = f"stress:spot{100 * spot:+.0f}/vol-{vol}"
            if cell not in said:
                continue
            want = sum(gain(t, leg, spot, rule) for leg in t.legs(1))
            assert said[cell] == pytest.approx(want, abs=0.5), cell
            assert abs(want) > 100.0
            checked += 1
    assert checked >= 4


def up_vol(iv, days):
    return max(iv * (1.0 + 0.50 * (30.0 / days) ** (0.30 if days < 30.0 else 0.13)), 0.50)


def down_vol(iv, days):
    return iv * (1.0 - 0.25 * (30.0 / days) ** (0.30 if days < 30.0 else 0.13))


def gain(t, leg, spot, rule):
    """Return a leg's gain in dollars: coins gained times the moved dollars per coin."""
    quantity, expiry, F, K, tau, sign, *_ = leg
    moved = F * (1.0 + spot)
    now = t.price(1, expiry, F, K, tau, sign) / F
    if rule is None:
        after = t.price(1, expiry, moved, K, tau, sign) / moved
    elif t.name == "svi":  # an expiry's own smile at the moved forward, its vols by the rule
        price = t.price(1, expiry, moved, K, tau, sign)
        iv = brentq(lambda s: black(moved, K, s * sqrt(tau), sign) - price, 0.02, 8.0, xtol=1e-13)
        after = black(moved, K, rule(iv, 365.0 * tau) * sqrt(tau), sign) / moved
    else:
        states = states_for(t, rule)
        after = t.price(1, expiry, moved, K, tau, sign, states) / moved
    return quantity * (after - now) * t.coin * (1.0 + spot)


@cache
def states_for(t, rule):
    """Return the factor on the spot variance that moves the 30-day vol as the rule says."""
    tau = 30.0 / 365.0

    def level(states):
        price = t.price(1, 0, 1.0, 1.0, tau, 1.0, states)
        return brentq(lambda s: black(1.0, 1.0, s * sqrt(tau), 1.0) - price, 0.01, 8.0, xtol=1e-13)

    aim = rule(level(1.0), 30.0)
    return brentq(lambda states: level(states) - aim, 1e-4, 50.0, xtol=1e-9)


def test_textbook_integrals_are_right_where_the_answer_is_known():
    # Hardly any vol of variance: Black at the mean variance, up to its square.
    tau, params = 0.25, (0.3, 2.0, 0.5, 0.02, 0.0)
    mean = 0.5 + (0.3 - 0.5) * (1.0 - exp(-2.0 * tau)) / (2.0 * tau)
    want = black(100.0, 90.0, sqrt(mean * tau), -1.0)
    assert heston_price(params, 100.0, 90.0, tau, -1.0) == pytest.approx(want, abs=2e-4)
