"""From what the venue said to what can be judged: snapshot, forwards, quotes, cleaning.

Imports pricing (Black-76 inversion), numerics and the ground floor; never a model. A quote is
dropped for what is visible without a smile: no bid, crossed, too wide, below intrinsic, the last
hour. *Refused:* dropping outliers by their residual to a fit, which would delete the evidence
the monitor exists to keep.
"""
