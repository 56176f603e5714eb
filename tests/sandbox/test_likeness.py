"""Generated chains look like recorded ones: counts, widths, missing sides.

Recorded figures are medians over the last snapshot of each UTC day, 1 March to 31 May 2026; the
tests measure them again where the recording is at hand, and hold the worlds to them.
"""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from monitor.archive import list_snapshots, read_refs, select
from monitor.conventions import MS_PER_DAY, tenor
from monitor.pricing.black import black_vega
from tests.sandbox.rooms import world

REAL = (
    Path(__file__).resolve().parents[3]
    / "shared"
    / "market-data"
    / "deribit_dev_20251230_20260531.parquet"
)
# rows, clean out-of-the-money quotes, share of bids and asks absent, median width in vol of the
# clean ones, deviation of mid from mark in half-spreads.
RECORDED = {
    "BTC": (928.0, 391.0, 0.057, 0.000, 0.0101, 0.38),
    "ETH": (759.0, 326.0, 0.057, 0.000, 0.0137, 0.305),
}


def figures(chain):
    """Return the six numbers of one chain."""
    tau = tenor(chain.as_of_ms, chain.expiry_ms)
    k = np.log(chain.strike / chain.forward)
    # A mark vol of nothing stands for an option without a mark.
    vega = black_vega(k, chain.mark_iv**2 * tau) * np.sqrt(tau)
    with np.errstate(divide="ignore"):
        width = (chain.ask - chain.bid) / vega
    otm = np.where(chain.is_call, k >= 0, k < 0)
    clean = otm & (tau * 365 >= 0.5) & (width < 0.1)
    mid = (chain.bid + chain.ask) / 2
    z = (mid - chain.mark)[clean] / ((chain.ask - chain.bid)[clean] / 2)
    return (
        float(len(chain)),
        float(clean.sum()),
        float(np.isnan(chain.bid).mean()),
        float(np.isnan(chain.ask).mean()),
        float(np.median(width[clean])),
        float(np.std(z)),
    )


def medians(chains):
    return np.median([figures(chain) for chain in chains], axis=0)


@pytest.mark.skipif(not REAL.exists(), reason=f"{REAL} is not there")
@pytest.mark.parametrize("underlying", ["BTC", "ETH"])
def test_the_recorded_figures_are_those_of_the_recording(underlying):
    since = datetime(2026, 3, 1, tzinfo=UTC)
    nights = select(list_snapshots(REAL), underlying=underlying, since=since)
    # Every seventh night: within 15 % of the figures of all 92.
    found = medians(read_refs(nights[::7]))
    np.testing.assert_allclose(found, RECORDED[underlying], rtol=0.15, atol=0.01)


@pytest.mark.parametrize("underlying", ["BTC", "ETH"])
def test_worlds_are_as_thick_as_wide_and_as_patchy_as_recorded_chains(underlying):
    chains = []
    for seed in range(4):
        market = world(seed=seed)
        nights = [market.start_ms + n * MS_PER_DAY + 81_000_000 for n in range(3, 90, 18)]
        chains += [market.chain(underlying, t) for t in nights]
    rows, clean, no_bid, no_ask, width, z = medians(chains)
    like = RECORDED[underlying]
    # Ladders follow the price and vol of their own path; single seeds differ by a fifth.
    assert rows == pytest.approx(like[0], rel=0.15)
    assert clean == pytest.approx(like[1], rel=0.15)
    assert like[2] - 0.01 < no_bid < like[2] + 0.04
    assert 0.0 < no_ask < 0.01
    assert width == pytest.approx(like[4], rel=0.15)
    assert 0.25 < z < 0.5
