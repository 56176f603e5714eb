r"""What of a model's error tonight's quotes explain by being wide.

A mid strays from what is fair by a part of its spread, so wider spreads make errors in vol larger
under a right model too: by at most half a half-spread, for on recorded chains mids stray from the
venue's marks by .33 (ETH) to .47 (BTC) half-spreads. When half-widths H grow by a factor g, an
error up to

.. math:: \sqrt{e_0^2 + 1.4\,(H/2)^2 (g^2 - 1)}

is liquidity's doing and no news of the model. Where nothing has widened the bound is the usual
error: a chart that still remembers earlier nights does not speak on one on which nothing is wrong.

By how much they have grown is asked of the root mean square, which the far options make, and of the
median, and the larger answer counts: far options that widen much are cleaned away as too wide.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from monitor.diagnostics.base import CHAIN
from monitor.diagnostics.drift_rules import DriftRules
from monitor.verdict.base import Cause, Verdict
from monitor.verdict.numbers import Numbers

HALF_WIDTH, WIDTH = "half_width_rms_iv", "width_iv"
_MOST_NOISE = 0.5  # half-spreads
# Of the added variance: few far quotes make up most of a mean square, and it is known to a fifth.
_SLACK = 1.4
_ERRORS = ("rmse_iv", "refreshed_rmse_iv")


def is_explained(metric: str, now: float | None, numbers: Numbers, drift: DriftRules) -> bool:
    """Return whether a model's error tonight is no more than usual, wider quotes allowed for.

    Parameters
    ----------
    metric : str
        False for anything but an error's size in vol.
    now : float or None
        Its value tonight.
    numbers : Numbers
        The model's.
    drift : DriftRules
    """
    usual = numbers.usual(metric, drift)
    if metric not in _ERRORS or now is None or usual is None:
        return False
    widths = [_usual_and_now(metric, numbers, drift) for metric in (HALF_WIDTH, WIDTH)]
    growth = max((tonight / before for before, tonight in widths if before), default=1.0)
    return now <= allowed_error(usual, widths[0][0], growth)


def is_blurred(scope: str, market: Verdict) -> bool:
    """Return whether a change of structure is found in a market thinner than its reference.

    Parameters are known to less than the reference says while quotes are wider and fewer, and a
    fit that holds its error has nothing else to show for such a change.
    """
    thin = any(f.cause is Cause.LIQUIDITY for f in market.findings)
    return thin and scope.startswith("headline:structure")


def allowed_error(usual: float, half_width: float, growth: float) -> float:
    """Return the largest error that half-widths explain that grew from `half_width` by a factor."""
    if growth <= 1.0 or half_width <= 0.0:
        return usual
    # Not the usual error's own share: of a spread of a few ticks the part that strays is small, and
    # what is added to it strays in full.
    added = (_MOST_NOISE * half_width) ** 2 * (growth**2 - 1.0)
    return float(np.sqrt(usual**2 + _SLACK * added))


def _usual_and_now(metric: str, numbers: Numbers, drift: DriftRules) -> tuple[float, float]:
    """Return the usual value of a number of the chain and tonight's; zeros where unknown."""
    usual = replace(numbers, model=None).usual(metric, drift)
    tonight = numbers.market.get(metric, {}).get(CHAIN)
    return (0.0, 0.0) if usual is None or tonight is None else (usual, tonight.value)
