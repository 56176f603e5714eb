"""Streams whose law is known."""

import numpy as np


def innovations(rng, shape, df=None):
    """Return innovations of variance one: normal, or Student's."""
    if df is None:
        return rng.standard_normal(shape)
    return rng.standard_t(df, shape) * np.sqrt((df - 2.0) / df)


def autoregression(rng, T, n, *, phi, df=None):
    """Return `n` stationary paths of `T` values with innovations of variance one, (T, n)."""
    e = innovations(rng, (T + 100, n), df)
    x = np.zeros_like(e)
    for t in range(1, T + 100):
        x[t] = phi * x[t - 1] + e[t]
    return x[100:]


def going_on(rng, start, T, n, *, phi, df=None):
    """Return `n` futures of `T` values after `start`, (T, n)."""
    e = innovations(rng, (T, n), df)
    x, now = np.empty_like(e), np.broadcast_to(start, (n,))
    for t in range(T):
        now = phi * now + e[t]
        x[t] = now
    return x
