"""The smile at fixed places: read off known smiles."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from monitor.diagnostics.points import DELTAS, MEAN_DAYS, SMILE, TERM, TERM_DAYS
from tests.diagnostics.evidence import market, reasons, values
from tests.market.chains import EXPIRIES, chain, skewed

FINE = market(chain(n_strikes=161))
TAUS = FINE.quotes.tau


def vol_at_delta(delta, tau, smile=skewed):
    """Return the vol at a call delta by bisection on the true smile."""
    low, high = -3.0 * np.sqrt(tau), 3.0 * np.sqrt(tau)
    for _ in range(80):
        k = 0.5 * (low + high)
        deviation = smile(k, tau) * np.sqrt(tau)
        low, high = (k, high) if norm.cdf(-k / deviation + deviation / 2) > delta else (low, k)
    return smile(k, tau)


def test_the_mean_smile_is_the_mean_over_tenors_of_the_vols_at_its_deltas():
    found = values(SMILE, FINE)
    root = np.sqrt(np.array(MEAN_DAYS) / 365.0)
    for name, delta in DELTAS.items():
        known = [vol_at_delta(delta, tau) for tau in TAUS]
        expected = np.mean(np.interp(root, np.sqrt(TAUS), known))
        # Straight lines between 161 strikes stay within a thousandth of a vol point of a parabola.
        assert found[f"point:{name}"] == pytest.approx(expected, abs=1e-4)


def test_the_term_structure_is_straight_in_total_variance():
    def sloped(k, tau):
        return 0.4 + 0.2 * tau + 0.0 * k

    found = values(TERM, market(chain(sloped, n_strikes=41)))
    w = (0.4 + 0.2 * TAUS) ** 2 * TAUS
    for days in TERM_DAYS[:-1]:
        tau = days / 365.0
        assert found[f"tenor:{days:.0f}d"] == pytest.approx(np.sqrt(np.interp(tau, TAUS, w) / tau))
    # Flat in vol beyond the last expiry, 167 days away.
    assert found["tenor:180d"] == pytest.approx(0.4 + 0.2 * TAUS[-1])


def test_a_lifted_put_wing_lifts_the_puts_and_nothing_else():
    def lifted(k, tau):
        return skewed(k, tau) + 0.02 * (k < -0.3 * np.sqrt(tau))

    before, after = values(SMILE, FINE), values(SMILE, market(chain(lifted, n_strikes=161)))
    assert after["point:10p"] - before["point:10p"] == pytest.approx(0.02, abs=0.003)
    for name in ("atm", "25c", "10c"):
        assert after[f"point:{name}"] == pytest.approx(before[f"point:{name}"], abs=1e-9)
    assert values(TERM, market(chain(lifted, n_strikes=161))) == pytest.approx(
        values(TERM, FINE), abs=1e-9
    )


def test_where_the_quotes_do_not_reach_there_is_no_number():
    one = market(chain(expiries=EXPIRIES[:1], n_strikes=41))
    assert reasons(SMILE, one) == reasons(TERM, one) == {"too_few_expiries"}
    # Long tenors alone have neither a front nor a week.
    assert "too_few_expiries" in reasons(TERM, market(chain(expiries=EXPIRIES[1:], n_strikes=41)))
    narrow = market(chain(lambda k, tau: 3.0 + 0.0 * k))  # strikes span 1 deviation of 6
    assert reasons(SMILE, narrow) == {"too_few_expiries"}
