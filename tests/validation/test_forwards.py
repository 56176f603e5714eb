"""Realised variance from the forwards of chains: right on a known coin, with its error."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from monitor.validation.forwards import forward_returns, forward_variance


def chains(rng, n=360, hours=6.0, jump=None, gap=None):
    """Return forwards of two expiries and one that is listed half-way."""
    step = pd.Timedelta(hours=hours)
    times = [pd.Timestamp("2026-01-01", tz="UTC") + i * step for i in range(n)]
    moves = 0.6 * np.sqrt(hours / 24 / 365) * rng.standard_normal(n)
    if jump is not None:
        moves[jump] += 0.2
    spot = 90_000 * np.exp(np.cumsum(moves))
    rows = []
    for i, (t, s) in enumerate(zip(times, spot, strict=True)):
        if gap is not None and gap <= i < gap + 8:
            continue
        for expiry, carry, first in (("2026-06-26", 1.01, 0), ("2026-09-25", 1.02, n // 2)):
            if i >= first:
                rows.append((t, "deribit", "BTC", "snapshot", expiry, 0.4, s * carry))
        # A contract about to expire moves with the delivery average: left out.
        rows.append((t, "deribit", "BTC", "snapshot", f"{t:%Y-%m-%d}", 0.001, s * 1.5 ** (i % 2)))
    columns = "as_of venue underlying cadence expiry tau forward".split()
    return pd.DataFrame(rows, columns=columns)


def test_the_variance_of_the_coin_is_found_within_its_error():
    found = forward_variance(chains(np.random.default_rng(1)), by="all").iloc[0]
    assert found["returns"] == 359
    assert found["days"] == pytest.approx(359 * 0.25)
    assert abs(found["variance"] - 0.36) < 3.0 * found["stderr"]
    assert found["stderr"] == pytest.approx(0.36 * np.sqrt(2 / 359), rel=0.25)
    assert abs(found["jump_z"]) < 3.09 and found["jumps"] == ""


def test_a_jump_is_named_with_its_time_and_a_gap_is_none():
    rng = np.random.default_rng(2)
    found = forward_variance(chains(rng, jump=200), by="all").iloc[0]
    assert found["jumps"].startswith("2026-02-20 00:00 (+") and "," not in found["jumps"]
    assert found["jump_z"] > 3.09
    calm = forward_variance(chains(rng, gap=200), by="all").iloc[0]
    assert calm["jumps"] == "" and calm["returns"] == 351


def test_moves_are_of_expiries_that_both_chains_have():
    moves = forward_returns(chains(np.random.default_rng(3)))
    # The listing of another expiry half-way is no move.
    assert np.abs(moves["move"]).max() < 0.1
    assert forward_variance(chains(np.random.default_rng(3)))["period"].tolist() == [
        "2026-01",
        "2026-02",
        "2026-03",
    ]
