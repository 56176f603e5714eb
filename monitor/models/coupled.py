"""Smiles of all expiries under common linear conditions, in coordinates of the model's own."""

from __future__ import annotations

from abc import abstractmethod

from monitor.arrays import FloatArray
from monitor.models.slices import SliceModel


class CoupledSlices(SliceModel):
    """A model per expiry whose slices must stand in order, as absence of arbitrage wants it.

    The conditions are linear in coordinates y, of shape (m, p), a vector an expiry: A y >= b with
    y laid out as one vector. The calibration keeps to them where every parameter is free; a fit
    with parameters held is a comparison with another night, whose slices it cannot move.
    """

    @abstractmethod
    def to_coordinates(self, params: FloatArray) -> FloatArray:
        """Return the coordinates of slices, both of shape (m, p)."""

    @abstractmethod
    def from_coordinates(self, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return parameters, shape (m, p), and their derivative by coordinates, (m, p, p)."""

    @abstractmethod
    def constraints(self, m: int) -> tuple[FloatArray, FloatArray]:
        """Return A of shape (c, m p) and b of shape (c,) for `m` slices in order of tenor."""

    @abstractmethod
    def settled(self, y: FloatArray) -> FloatArray:
        """Return coordinates that miss the constraints by rounding, put back inside them."""
