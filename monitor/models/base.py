"""The one contract of every model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from monitor.arrays import FloatArray, IntArray, frozen_floats, frozen_ints
from monitor.conventions import expiry_label
from monitor.errors import DomainError
from monitor.registry import Registry


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a model.

    Attributes
    ----------
    name : str
        The field's symbol (``v0``, ``rho``).
    lower, upper : float
        Closed bounds within which the calibration stays.
    role : {"state", "structure"}
        A state moves every night with the market (spot variance, at-the-money level); a structure
        parameter is what the model claims to be constant, and its jump is instability.
    meaning : str
        One line, with the unit.
    log_from : float or None
        Where given, the calibration searches the logarithm of the parameter plus this: for what
        spans decades, where equal steps are equal factors. Below this, steps are steps again.
    """

    name: str
    lower: float
    upper: float
    role: Literal["state", "structure"]
    meaning: str
    log_from: float | None = None


@dataclass(frozen=True, eq=False)
class Grid:
    """Where a model is asked for total variance: m expiries, n points, sorted by (tau, k).

    Attributes
    ----------
    expiry_ms : ndarray of shape (m,)
        Which expiry each slice is; models use it only to tell slices apart.
    tau : ndarray of shape (m,)
        Tenor in years, positive, strictly rising.
    expiry_index : ndarray of shape (n,)
        Slice of each point, non-decreasing.
    k : ndarray of shape (n,)
        Log-moneyness ln(K/F).
    w_ref : ndarray of shape (m,)
        A total variance near the money per slice, from the data: the control variate and the
        scale of the Fourier integrals. It never changes a model's answer, only its accuracy.
    """

    expiry_ms: IntArray
    tau: FloatArray
    expiry_index: IntArray
    k: FloatArray
    w_ref: FloatArray
    # Precomputed kernels, shared by all models asked on this grid; key and content belong to
    # whoever computes them.
    cache: dict[Any, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for name in ("tau", "k", "w_ref"):
            object.__setattr__(self, name, frozen_floats(getattr(self, name)))
        for name in ("expiry_ms", "expiry_index"):
            object.__setattr__(self, name, frozen_ints(getattr(self, name)))
        if not (len(self.tau) == len(self.expiry_ms) == len(self.w_ref)):
            raise DomainError("expiry_ms, tau and w_ref must have one entry an expiry")
        if np.any(self.tau <= 0) or np.any(np.diff(self.tau) <= 0):
            raise DomainError("tenors must be positive and rise strictly")

    @property
    def m(self) -> int:
        """Number of expiries."""
        return len(self.tau)

    @property
    def n(self) -> int:
        """Number of points."""
        return len(self.k)

    @cached_property
    def tau_of_point(self) -> FloatArray:
        """Tenor of each point, shape (n,)."""
        return self.tau[self.expiry_index]

    def slice(self, j: int) -> Grid:
        """Return the grid of expiry `j` alone."""
        here = self.expiry_index == j
        return Grid(
            self.expiry_ms[j : j + 1],
            self.tau[j : j + 1],
            np.zeros(int(here.sum()), np.int64),
            self.k[here],
            self.w_ref[j : j + 1],
        )


class Model(ABC):
    """A description of the surface by a parameter vector; it holds no estimates.

    A model `per_expiry` has its `parameters` once for each expiry, and its vector is the slices'
    vectors one after the other in the order of the grid: shape (m * p,). Otherwise shape (p,).
    `cadence` says which pass it is meant for: what takes seconds a chain is fitted once a week.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]
    parameters: ClassVar[tuple[Parameter, ...]]
    per_expiry: ClassVar[bool]
    cadence: ClassVar[Literal["nightly", "weekly"]] = "nightly"

    @abstractmethod
    def starts(self, grid: Grid, iv: FloatArray, noise: FloatArray) -> FloatArray:
        """Return deterministic cold starts, the most promising first.

        Parameters
        ----------
        grid : Grid
        iv : ndarray of shape (n,)
            Market implied vols at the points of the grid, mid.
        noise : ndarray of shape (n,)
            Standard deviation of each, vols.

        Returns
        -------
        ndarray of shape (s, P)
            Inside the bounds; `P` is the length of the model's vector on this grid.
        """

    @abstractmethod
    def total_variance(self, params: FloatArray, grid: Grid) -> tuple[FloatArray, FloatArray]:
        """Return total variance and its gradient.

        Returns
        -------
        w : ndarray of shape (n,)
            Total variance. NaN where the model's price cannot be inverted there; callers check.
        gradient : ndarray of shape (n, P)
            Derivative of `w` by each parameter.
        """

    def variance(self, params: FloatArray, grid: Grid) -> FloatArray:
        """Return total variance alone, shape (n,): cheaper where a gradient costs much."""
        return self.total_variance(params, grid)[0]

    def bounds(self, grid: Grid) -> tuple[FloatArray, FloatArray]:
        """Return lower and upper bounds of the vector on this grid, each of shape (P,).

        Those declared, unless a model knows tighter ones that depend on where the quotes are.
        """
        tiled = self.tiled(grid)
        return np.array([p.lower for p in tiled]), np.array([p.upper for p in tiled])

    def bounds_hit(self, params: FloatArray, lower: FloatArray, upper: FloatArray) -> IntArray:
        """Return -1 where a parameter ended at its lower bound, +1 at its upper, else 0.

        All of shape (P,), or of any whole number of slices of a model per expiry.
        """
        near = 1e-9 * (upper - lower)
        down = np.minimum(near, 1e-6 * np.abs(lower) + 1e-300)
        up = np.minimum(near, 1e-6 * np.abs(upper) + 1e-300)
        hit = np.where(params <= lower + down, -1, 0)
        return np.where(params >= upper - up, 1, hit)

    def carry(
        self, params: FloatArray, expiry_ms: IntArray, tau: FloatArray, grid: Grid
    ) -> FloatArray:
        """Return last night's parameters laid on tonight's grid.

        Parameters
        ----------
        params : ndarray of shape (P,)
            Fitted to the expiries `expiry_ms` at tenors `tau`, both of shape (m_then,).
        grid : Grid
            Tonight's.

        Returns
        -------
        ndarray of shape (P_tonight,)
            NaN for the slices of expiries that were not there last night.
        """
        if not self.per_expiry:
            return np.array(params)
        then = {e: i for i, e in enumerate(expiry_ms.tolist())}
        at = np.array([then.get(e, -1) for e in grid.expiry_ms.tolist()], dtype=np.int64)
        there = at >= 0
        slices = np.reshape(params, (len(then), len(self.parameters)))[at[there]]
        out = np.full((grid.m, len(self.parameters)), np.nan)
        out[there] = self.age(slices, tau[at[there]], grid.tau[there])
        return out.ravel()

    def age(self, params: FloatArray, tau_then: FloatArray, tau_now: FloatArray) -> FloatArray:
        """Return slices' parameters, shape (b, p), as the same smiles in vol at shorter tenors.

        `tau_then` and `tau_now` have shape (b,).
        """
        return np.array(params)

    def leverage(self, params: FloatArray, grid: Grid) -> FloatArray | None:
        """Return the expected move of each parameter per unit of ln F, shape (P,).

        d<x, ln F> / d<ln F> under the model's own law; None for a model without one, or with jumps,
        whose moves are not in proportion.
        """
        return None

    def names(self, grid: Grid) -> tuple[str, ...]:
        """Return the names of the vector: ``kappa``, or ``rho@2026-03-27`` per expiry."""
        if not self.per_expiry:
            return tuple(p.name for p in self.parameters)
        labels = [expiry_label(e) for e in grid.expiry_ms.tolist()]
        return tuple(f"{p.name}@{label}" for label in labels for p in self.parameters)

    def tiled(self, grid: Grid) -> tuple[Parameter, ...]:
        """Return the parameter behind each entry of the vector."""
        return self.parameters * (grid.m if self.per_expiry else 1)


MODELS: Registry[Model] = Registry("model")
