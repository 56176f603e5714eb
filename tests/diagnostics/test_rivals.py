"""Who cannot be told from the best tonight: equals seldom, worse models surely."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.calibration.solve import calibrate
from monitor.diagnostics.base import NO_HISTORY
from monitor.diagnostics.noise_model import learnt_noise
from monitor.diagnostics.rivals import behind_best, told_apart_beyond
from monitor.models import MODELS
from tests.calibration.chains import grid_of_tenors, quotes_from
from tests.diagnostics.evidence import fit_saying, reasons, saying, value
from tests.market.chains import chain

GRID = grid_of_tenors(n=15)
NOISE = 0.01
SMILE = 0.6 + 0.1 * GRID.k**2
UNLEARNT = learnt_noise(NO_HISTORY)


def night(rng):
    return quotes_from(GRID, SMILE + NOISE * rng.standard_normal(GRID.n), np.sqrt(3.0) * NOISE)


def test_of_two_equally_wrong_models_one_is_told_from_the_other_as_often_as_said():
    rng, told = np.random.default_rng(1), 0
    for _ in range(400):
        quotes = night(rng)
        # Each errs by as much, in independent ways, along every wing of every expiry together.
        off = [
            NOISE * rng.standard_normal((GRID.m, 3))[GRID.expiry_index, np.arange(GRID.n) % 15 // 5]
            for _ in range(2)
        ]
        fits = tuple(fit_saying(quotes, SMILE + e, model=f"m{i}") for i, e in enumerate(off))
        best, behind = behind_best(quotes, fits, UNLEARNT)
        assert behind[best] == 0.0
        told += max(behind.values()) > told_apart_beyond(1)
    # The worse of two is asked at 10 %: 20 % of nights were it chosen before; 400 nights, 3 errors.
    assert told / 400 < 0.20 + 3 * 0.02


def test_a_worse_model_is_told_from_the_best_and_a_twin_is_not():
    rng = np.random.default_rng(2)
    quotes = night(rng)
    good, twin = (fit_saying(quotes, SMILE + 1e-4 * i, model=f"good{i}") for i in range(2))
    bad = fit_saying(quotes, SMILE + 0.02 * np.sin(9.0 * GRID.k), model="bad")
    best, behind = behind_best(quotes, (good, twin, bad), UNLEARNT)
    assert best in ("good0", "good1")
    assert max(behind["good0"], behind["good1"]) < told_apart_beyond(2) < behind["bad"]


def test_parameters_are_paid_for():
    quotes = night(np.random.default_rng(3))
    plain = fit_saying(quotes, SMILE, model="plain")
    greedy = replace(plain, model="greedy", leverage=np.full(quotes.n, 0.2))
    best, behind = behind_best(quotes, (greedy, plain), UNLEARNT)
    assert best == "plain" and behind["greedy"] == 0.0  # no scatter: nothing to tell them by


def test_a_quote_that_a_rival_does_not_price_counts_for_nobody():
    quotes = night(np.random.default_rng(4))
    short = SMILE + 0.02 * np.sign(GRID.k)
    full = behind_best(
        quotes, tuple(fit_saying(quotes, iv, model=m) for m, iv in (("a", SMILE), ("b", short))),
        UNLEARNT,
    )  # fmt: skip
    short = np.where(GRID.expiry_index == 0, np.nan, short)
    part = behind_best(
        quotes, tuple(fit_saying(quotes, iv, model=m) for m, iv in (("a", SMILE), ("b", short))),
        UNLEARNT,
    )  # fmt: skip
    assert full[0] == part[0] == "a" and part[1]["b"] < full[1]["b"]


def test_it_is_said_of_a_night_with_rivals_and_refused_without():
    alone = saying(chain(n_strikes=9), 0.0)
    assert reasons("behind_best", alone) == {"no_rivals"}
    svi = calibrate(MODELS["svi"], alone.quotes)
    both = replace(alone, fit=calibrate(MODELS["black"], alone.quotes))
    both = replace(both, rivals=(both.fit, svi))
    assert value("behind_best", both, scope="best:svi") > 0.0


@pytest.mark.moves("behind_best")
def test_the_worse_a_model_the_further_behind_and_a_third_that_is_worse_does_not_count():
    evidence = saying(chain(n_strikes=9), 0.0)
    rng = np.random.default_rng(5)
    noise = 0.001 * rng.standard_normal(evidence.quotes.n)
    iv = evidence.quotes.iv + noise

    def behind(bend, *others):
        fits = (
            fit_saying(evidence.quotes, iv, model="svi"),
            fit_saying(evidence.quotes, iv + bend * np.sin(9.0 * evidence.quotes.k)),
            *others,
        )
        night = replace(evidence, fit=fits[1], rivals=fits)
        return value("behind_best", night, scope="best:svi")

    third = fit_saying(evidence.quotes, iv + 0.1, model="worse")
    assert behind(0.001) < behind(0.004) - 0.5
    assert behind(0.004, third) == behind(0.004)


def test_the_more_rivals_the_further_behind_one_must_be():
    limits = [told_apart_beyond(n) for n in (1, 3, 10)]
    np.testing.assert_allclose(limits, [1.2816, 1.8339, 2.3263], atol=1e-4)  # normal tables
