"""What a market's truth is made of: diffusion, jumps, a residual surface, wandering structure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Jumps:
    """Compound-Poisson jumps of the log price: intensity a year, mean, deviation."""

    lam: float
    mu_j: float
    sigma_j: float

    @property
    def variance(self) -> float:
        """Variance that they add, per year."""
        return self.lam * (self.mu_j**2 + self.sigma_j**2)

    def scaled(self, factor: float) -> Jumps:
        """Return as many jumps, each so many times as large."""
        return Jumps(self.lam, factor * self.mu_j, factor * self.sigma_j)


@dataclass(frozen=True, slots=True)
class Surface:
    """Vol that no characteristic function explains: standing shapes, and shapes that come and go.

    Shapes are Legendre polynomials in tanh(x / 2), x the log-moneyness in deviations to expiry:
    level, skew, curvature and so on, flat in the far wings. Between the tenors of `days` they are
    interpolated in log tenor, beyond them they stay.

    Attributes
    ----------
    days : tuple of float, length m
        Tenors, rising.
    standing : tuple of m tuples
        Vol, a decimal, of each shape at each tenor, constant for ever.
    deviation : tuple of m tuples
        Of what comes and goes, likewise.
    persistence : float
        Its autocorrelation from night to night; tenors and shapes move independently.
    """

    days: tuple[float, ...]
    standing: tuple[tuple[float, ...], ...]
    deviation: tuple[tuple[float, ...], ...]
    persistence: float


@dataclass(frozen=True, slots=True)
class Wander:
    """How structure moves about its centre: one autocorrelation, nightly steps a parameter.

    Attributes
    ----------
    persistence : float
    kappa, theta_v, xi : float
        Deviation of nightly innovations of the logarithm.
    rho : float
        Of the inverse hyperbolic tangent.
    """

    persistence: float = 0.0
    kappa: float = 0.0
    theta_v: float = 0.0
    xi: float = 0.0
    rho: float = 0.0

    @property
    def steps(self) -> tuple[float, float, float, float]:
        """The four deviations in the order of the parameters."""
        return self.kappa, self.theta_v, self.xi, self.rho


STILL = Wander()


@dataclass(frozen=True, slots=True)
class Truth:
    """One underlying's law under the pricing measure, in the symbols of the models.

    Attributes
    ----------
    spot : float
        Dollars per coin at the world's start.
    v0 : float
        Median of the wandering spot variance, per year.
    kappa, theta_v, xi, rho : float
        Centres of the structure.
    wander : Wander
        How structure moves about them; not at all unless a world says so.
    jumps : Jumps or None
        Priced from the beginning, beside the diffusion.
    surface : Surface or None
        Added to the vols that the above give.
    """

    spot: float
    v0: float
    kappa: float
    theta_v: float
    xi: float
    rho: float
    wander: Wander = STILL
    jumps: Jumps | None = None
    surface: Surface | None = None
