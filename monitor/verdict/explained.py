r"""What of a model's error tonight's quotes explain by being wide.

A mid strays from what is fair by a part of its spread, so wider spreads make errors in vol larger
under a right model too. Of an error's usual mean square, c squared times the mean square of the
half-widths can be noise, with c at most one half: on recorded chains mids stray from the venue's
marks by .33 (ETH) to .47 (BTC) half-spreads. When half-widths grow from H0 to H1, an error up to

.. math:: \sqrt{e_0^2 + 1.4\,c^2 (H_1^2 - H_0^2)}, \qquad c = \min(1/2,\; e_0 / H_0)

is liquidity's doing and no news of the model. Where nothing has widened the bound is the usual
error: a chart that still remembers earlier nights does not speak on one on which nothing is wrong.
"""

from __future__ import annotations

import numpy as np

from monitor.diagnostics.base import CHAIN
from monitor.diagnostics.drift import reference_of
from monitor.diagnostics.drift_rules import DriftRules
from monitor.verdict.numbers import Numbers

HALF_WIDTH = "half_width_rms_iv"
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
    return now <= allowed_error(usual, *_half_widths(numbers, drift))


def allowed_error(usual: float, before: float, tonight: float) -> float:
    """Return the largest error that half-widths grown from `before` to `tonight` explain."""
    if not tonight > before > 0.0:
        return usual
    share = min(_MOST_NOISE, usual / before)
    return float(np.sqrt(usual**2 + _SLACK * share**2 * (tonight**2 - before**2)))


def _half_widths(numbers: Numbers, drift: DriftRules) -> tuple[float, float]:
    """Return the usual root mean square half-width and tonight's; zeros where unknown."""
    past = numbers.history.series.get((None, HALF_WIDTH, CHAIN))
    tonight = numbers.market.get((HALF_WIDTH, CHAIN))
    if past is None or not len(past) or tonight is None:
        return 0.0, 0.0
    return float(np.median(reference_of(past.value, drift))), tonight.value
