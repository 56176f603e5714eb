"""Do the errors that a fit states survive noise of another kind than the quotes' own?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from monitor.calibration.robust import robust_covariance
from monitor.diagnostics.base import Evidence, Metric, Outcome, metric
from monitor.outcome import Rejection


@metric(
    "stderr_ratio",
    unit="1",
    level="model",
    definition="Robust standard error over that of the Jacobian, median over the parameters that "
    "have both: robust to quotes of unequal noise (robust:quote), and to whatever the quotes of an "
    "expiry share, where parameters are common to all (robust:expiry).",
    source="MacKinnon and White (1985), HC3; Bell and McCaffrey (2002), CR3",
)
def stderr_ratio(metric: Metric, evidence: Evidence) -> Iterator[Outcome]:
    """Yield by how much stated errors are too small."""
    fit, model = evidence.fit, evidence.model
    assert fit is not None and model is not None
    stated = np.diagonal(fit.covariance)
    for name in ("quote",) if model.per_expiry else ("quote", "expiry"):
        found = np.diagonal(robust_covariance(evidence.quotes, fit, by_expiry=name == "expiry"))
        known = (stated > 0.0) & (found > 0.0)  # false where either is NaN
        if known.any():
            value = float(np.median(np.sqrt(found[known] / stated[known])))
            yield metric.value(evidence, value, scope=f"robust:{name}", n=int(known.sum()))
        else:
            subject = f"{metric.name}/{fit.model}/robust:{name}"
            yield Rejection("metric", "unidentified", subject, "no parameter has both errors")
