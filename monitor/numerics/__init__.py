"""Numerical methods without a word of finance: quadrature and least squares.

Imports the ground floor and nothing else of this package. *Refused:* a general optimiser from a
library inside the nightly fit, which spends more time on its own bookkeeping than on a problem of
eight parameters, and whose stopping rules cannot be reported in our words.
"""
