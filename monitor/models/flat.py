"""Black with one vol an expiry: no smile at all, the floor under every other model."""

from __future__ import annotations

import numpy as np

from monitor.arrays import FloatArray
from monitor.models.base import MODELS, Parameter
from monitor.models.slices import Rows, SliceModel


class Flat(SliceModel):
    """One implied vol for all strikes of an expiry."""

    name = "black"
    summary = "Black-76 with one vol an expiry; a benchmark without a smile"
    source = "Black, F. (1976). The pricing of commodity contracts. J. Financial Economics 3"
    parameters = (
        # Crypto has printed between 20 % and 400 % a year; 1 % and 1000 % are out of reach.
        Parameter("sigma", 0.01, 10.0, "state", "implied vol of the expiry, per square root year"),
    )

    def slice_variance(
        self, params: FloatArray, k: FloatArray, tau: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        sigma, t = params[:, :1], tau[:, None]
        w = np.broadcast_to(sigma * sigma * t, k.shape)
        return w, np.broadcast_to(2.0 * sigma * t, k.shape)[:, :, None]

    def slice_starts(self, rows: Rows, iv: FloatArray, noise: FloatArray) -> FloatArray:
        # The weighted mean is the least-squares solution itself.
        weight = noise**-2.0
        mean: FloatArray = np.sum(weight * iv, axis=1) / np.sum(weight, axis=1)
        return mean[None, :, None]


MODELS.add(Flat.name, Flat())
