"""Exact intervals for counts: no normal approximation where a dozen events are all there is."""

from __future__ import annotations

from scipy.stats import beta, chi2

LEVEL = 0.95


def poisson_interval(events: int, exposure: float, level: float = LEVEL) -> tuple[float, float]:
    """Return the interval of a rate of rare events, per unit of exposure.

    Parameters
    ----------
    events : int
    exposure : float
        Nights watched, > 0.
    level : float

    References
    ----------
    .. [1] Garwood, F. (1936). Fiducial limits for the Poisson distribution. Biometrika 28.

    Examples
    --------
    >>> [round(x, 3) for x in poisson_interval(0, 1.0)]
    [0.0, 3.689]
    >>> [round(x, 3) for x in poisson_interval(3, 1.0)]
    [0.619, 8.767]
    """
    tail = 0.5 * (1.0 - level)
    low = 0.5 * chi2.ppf(tail, 2 * events) if events else 0.0
    high = 0.5 * chi2.ppf(1.0 - tail, 2 * events + 2)
    return float(low / exposure), float(high / exposure)


def share_interval(hits: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the interval of a share, exact in the binomial law.

    References
    ----------
    .. [1] Clopper, C. and Pearson, E. (1934). Biometrika 26.

    Examples
    --------
    >>> [round(x, 3) for x in share_interval(10, 10)]
    [0.692, 1.0]
    """
    tail = 0.5 * (1.0 - level)
    low = beta.ppf(tail, hits, n - hits + 1) if hits else 0.0
    high = beta.ppf(1.0 - tail, hits + 1, n - hits) if hits < n else 1.0
    return float(low), float(high)
