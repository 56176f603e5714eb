"""From quotes and a model to a fit, with everything that says how far to trust it.

Residuals are implied vols over noise; Levenberg–Marquardt within bounds; deterministic cold
starts, so that the stored fit is a pure function of the snapshot. Imports market, models and
what lies below. *Refused:* price-over-vega objectives, which end in another minimum; penalties of
1e6 for points that cannot be priced; warm starts for the stored fit.
"""
