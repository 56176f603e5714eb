"""Coverage is vega that was measured, over vega that is listed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.conventions import to_ms
from monitor.pricing.black import black_vega
from tests.diagnostics.evidence import market, reasons, value
from tests.market.chains import EXPIRIES, chain

CHAIN = chain()
LAST = to_ms(EXPIRIES[-1]) == CHAIN.expiry_ms


def without(rows, **changes):
    """Return the coverage of the chain with bids withdrawn at some rows."""
    return value(
        "coverage", market(replace(CHAIN, bid=np.where(rows, np.nan, CHAIN.bid), **changes))
    )


def vega_of(rows):
    """Return the dollars a unit of vol that options are worth, at the venue's vols, by hand."""
    tau = (CHAIN.expiry_ms - CHAIN.as_of_ms) / (365.0 * 86_400_000.0)
    k, w = np.log(CHAIN.strike / CHAIN.forward), CHAIN.mark_iv**2 * tau
    return float(np.sum((CHAIN.forward * black_vega(k, w) * np.sqrt(tau))[rows]))


@pytest.mark.moves("coverage")
def test_what_is_not_quoted_is_missing_by_its_vega_and_not_by_its_number():
    assert without(np.zeros(len(CHAIN), bool)) == pytest.approx(1.0)
    every = np.ones(len(CHAIN), bool)
    # Put and call of a strike have one vega: both are counted here above and below.
    assert without(LAST) == pytest.approx(1.0 - vega_of(LAST) / vega_of(every))
    # A third of the expiries, and more than half of the vega.
    assert without(LAST) < 0.5


def test_options_in_the_money_wider_quotes_and_another_level_cover_as_much():
    inside = (CHAIN.strike > CHAIN.forward) != CHAIN.is_call
    assert without(inside) == pytest.approx(1.0)
    assert value("coverage", market(chain(width_iv=0.03))) == pytest.approx(1.0)
    assert value("coverage", market(chain(lambda k, tau: 0.9 + 0.0 * k))) == pytest.approx(1.0)


def test_a_chain_of_three_quarters_of_the_listing_covers_no_more():
    none = np.zeros(len(CHAIN), bool)
    assert without(none, n_listed=104) == pytest.approx(0.75)  # 78 rows
    assert without(none, n_listed=50) == pytest.approx(1.0)  # a listing that lags covers no more


def test_where_nobody_gives_a_vol_there_is_nothing_to_cover():
    nothing = np.full(len(CHAIN), np.nan)
    bare = market(replace(CHAIN, bid=nothing, mark_iv=nothing))
    assert reasons("coverage", bare) == {"no_vega"}
