from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.numerics.complexes import cis, complex_exp, complex_log1p
from monitor.numerics.quadrature import gauss_legendre

ANGLE = st.floats(-1e4, 1e4)


@given(ANGLE)
def test_cis_is_cosine_and_sine(angle):
    value = complex(cis(np.array(angle)))
    # Two units: the tangent's rounding doubles.
    assert abs(value - complex(np.cos(angle), np.sin(angle))) < 5e-16


@given(st.floats(-300.0, 300.0), ANGLE)
def test_complex_exp_is_the_exponential(x, y):
    z = np.array([complex(x, y)])
    np.testing.assert_allclose(complex_exp(z), np.exp(z), rtol=1e-15, atol=0.0)


@given(st.floats(1e-12, 1e3), st.floats(-np.pi, np.pi))
def test_complex_log1p_is_the_principal_logarithm(radius, angle):
    z = np.array([radius * np.exp(1j * angle)])
    if abs(1.0 + z[0]) < 1e-3:
        return  # no digits of 1 + z are left in z
    with np.errstate(under="ignore"):
        exact = np.log1p(z.real[0]) if angle == 0.0 else np.log(1.0 + z[0])
    # Below 1e-2 the plain logarithm is the worse of the two: it loses eps / |z|.
    bound = 1e-12 if radius > 1e-2 else 3e-16 / radius + radius
    assert abs(complex_log1p(z)[0] - exact) <= bound * abs(exact) + 1e-300


def test_gauss_legendre_integrates_polynomials_of_twice_its_order():
    x, weight = gauss_legendre(6)
    for degree in range(12):
        exact = 0.0 if degree % 2 else 2.0 / (degree + 1)
        assert abs(np.sum(weight * x**degree) - exact) < 1e-14
