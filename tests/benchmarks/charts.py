"""What the charts of change cost in false alarms, and what the budget buys; a command, not a test.

    python -m tests.benchmarks.charts                     500 references a cell: 7 minutes
    python -m tests.benchmarks.charts --references 100
    python -m tests.benchmarks.charts --joint             headlines together, and models of a market
    python -m tests.benchmarks.charts --noise             noise on top of what wanders
    python -m tests.benchmarks.charts --ewma              step and cumulative sum against a mean

Streams are autoregressions of first order. For each of many references of `n` nights the limits are
made as the desk makes them, and the chance of an alarm within 91 nights is that of 200 futures in
which nothing happens. Then a step of 1 to 7 innovations' deviations is put into the 31st night: the
share found within 2, 5 and 10 nights, at the desk's own budget for one of six streams.

Measured on 29 November 2026 by ``--references 500`` (7 minutes); nominal 0.221, mean over
references and their 10-90 % range:

      n   phi   normal innovations          Student (5)
     60   0.0   .192 (.035 to .390)  -13 %   .242 (.075 to .476)  +10 %
     60   0.5   .189 (.030 to .416)  -14 %   .262 (.070 to .531)  +19 %
     60   0.8   .201 (.040 to .430)   -9 %   .307 (.065 to .620)  +39 %
    120   0.0   .214 (.065 to .400)   -3 %   .221 (.075 to .416)    0 %
    120   0.5   .198 (.055 to .380)  -10 %   .232 (.060 to .475)   +5 %
    120   0.8   .205 (.055 to .406)   -7 %   .262 (.055 to .565)  +19 %
    180   0.0   .221 (.085 to .380)    0 %   .212 (.090 to .360)   -4 %
    180   0.5   .209 (.070 to .386)   -5 %   .218 (.065 to .415)   -1 %
    180   0.8   .198 (.065 to .360)  -10 %   .245 (.065 to .501)  +11 %

What the budget of one of six streams (0.041 in 91 nights) buys: share of steps found within 2 / 5 /
10 nights, in innovations' deviations; 100 references of 30 futures:

      n   phi         2             3             4             5             7
     60   0.0   .09/.51/.92   .43/.96/1     .82/1/1       .98/1/1       1/1/1
     60   0.5   .02/.08/.21   .11/.38/.67   .39/.80/.95   .71/.97/1     .98/1/1
     60   0.8   .01/.03/.05   .05/.11/.17   .16/.29/.41   .37/.57/.71   .76/.92/.96
    120   0.0   .10/.58/.97   .47/.98/1     .87/1/1       .99/1/1       1/1/1
    120   0.5   .04/.11/.30   .19/.48/.80   .52/.86/.99   .82/.98/1     .99/1/1
    120   0.8   .01/.03/.06   .08/.16/.26   .27/.43/.59   .55/.74/.86   .93/.98/.99
    180   0.0   .13/.67/.98   .53/.99/1     .90/1/1       .99/1/1       1/1/1
    180   0.5   .05/.16/.40   .24/.57/.87   .60/.91/1     .88/.99/1     1/1/1
    180   0.8   .02/.05/.08   .12/.20/.29   .36/.50/.65   .65/.80/.90   .96/.99/1

Without the jump that two nights agree on, the same command gave within two nights, of 4 and 5
deviations, .74 and .97 (60 nights, phi 0), .23 and .54 (.5), .07 and .20 (.8).

Noise of .2 and .4 of the variance on what wanders by phi .85, and of .5 by .9, 100 references by
``--noise``: .225, .263, .295 of 91 nights at 60 nights of reference, .228, .246, .252 at 120, where
.221 is stated; .051, .073, .097 and .053, .061, .077 where .041 is.

Three headlines together (60 nights, phi 0.5, 40 references, by the two charts there were before the
jump): .172, .136, .132 of .221 at correlations of 0, .5 and .9 of their innovations.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from monitor.arrays import FloatArray
from monitor.diagnostics.drift_rules import DriftRules
from monitor.numerics.charts import tamed
from monitor.numerics.limits import (
    Limits,
    _futures,
    chart,
    innovations_correlation,
    joint_limits,
)
from monitor.numerics.selfstart import Scores, predictive_scores
from tests.numerics.streams import innovations

HORIZON = 91
DESK = float(-np.expm1(-91.0 / 365.0))  # 0.2207: one alarm a year, over 91 nights
STREAM = DriftRules(streams=6).false_alarm_probability  # one of six streams of a desk
WEIGHTS, SHIFTS = (0.1, 0.2, 0.4), (0.5, 1.0, 2.0, 3.0)
STEPS, WITHIN = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0), (2, 5, 10)


def streams(
    rng: np.random.Generator,
    T: int,
    n: int,
    h: int,
    *,
    phi: float,
    rho: float,
    df: float | None = None,
    start: FloatArray | None = None,
) -> FloatArray:
    """Return `n` paths of `h` streams whose innovations share a correlation, (T, h, n)."""
    lead = 100 if start is None else 0
    e = innovations(rng, (T + lead, h, n), df)
    e = np.sqrt(1.0 - rho) * e + np.sqrt(rho) * innovations(rng, (T + lead, 1, n), df)
    x = np.empty_like(e)
    now = np.zeros((h, n)) if start is None else np.broadcast_to(start[:, None], (h, n))
    for t in range(T + lead):
        now = phi * now + e[t]
        x[t] = now
    return x[lead:]


def limits_of(
    reference: FloatArray, p: float, rng: np.random.Generator, paths: int
) -> tuple[Limits, ...]:
    """Return joint limits of the columns of a reference, (n, h)."""
    each = list(reference.T)
    nights = np.arange(len(reference))
    return joint_limits(
        each,
        two_sided=[True] * len(each),
        correlation=innovations_correlation(each, [nights] * len(each)),
        false_alarm_probability=p,
        horizon=HORIZON,
        rng=rng,
        paths=paths,
    )


def scores_of(reference: FloatArray, future: FloatArray, limits: Sequence[Limits]) -> FloatArray:
    """Return the largest size of score of any headline, (T, n), for futures of shape (T, h, n)."""
    sizes = [
        np.abs(chart(predictive_scores([x], future[:, i]), two_sided=True).score([limits[i]]))
        for i, x in enumerate(reference.T)
    ]
    return np.max(sizes, axis=0)


def false_alarms(
    n: int,
    phi: float,
    *,
    references: int,
    p: float = DESK,
    headlines: int = 1,
    rho: float = 0.0,
    df: float | None = None,
    noise: float = 0.0,
    futures: int = 200,
    paths: int = 1_000,
    seed: int = 7,
) -> FloatArray:
    """Return the chance of an alarm within the horizon for each of many references, no change.

    `noise` of tonight alone is that share of the variance.
    """
    rng, out = np.random.default_rng(seed), []
    deviation = np.sqrt(noise / (1.0 - noise) / (1.0 - phi * phi))
    for _ in range(references):
        past = streams(rng, n, 1, headlines, phi=phi, rho=rho, df=df)[:, :, 0]
        future = streams(rng, HORIZON, futures, headlines, phi=phi, rho=rho, df=df, start=past[-1])
        if noise:
            past = past + deviation * rng.standard_normal(past.shape)
            future = future + deviation * rng.standard_normal(future.shape)
        limits = limits_of(past, p, rng, paths)
        out.append(np.mean(scores_of(past, future, limits).max(axis=0) > 1.0))
    return np.array(out)


def found(n: int, phi: float, *, references: int, p: float = STREAM, seed: int = 8) -> FloatArray:
    """Return the share of steps found, for each size and within so many nights."""
    rng = np.random.default_rng(seed)
    hits = np.zeros((len(STEPS), len(WITHIN)))
    for _ in range(references):
        past = streams(rng, n, 1, 1, phi=phi, rho=0.0)[:, :, 0]
        limits = limits_of(past, p, rng, 1_000)
        quiet = streams(rng, 40, 30, 1, phi=phi, rho=0.0, start=past[-1])
        for i, size in enumerate(STEPS):
            future = quiet.copy()
            future[30:] += size
            beyond = scores_of(past, future, limits)[30:] > 1.0
            hits[i] += [np.mean(beyond[:k].any(axis=0)) for k in WITHIN]
    return hits / references


def ewma(scores: Scores, weight: float) -> FloatArray:
    """Return the exponentially weighted mean of tamed scores over its deviation, (T, n)."""
    u, now = tamed(scores.u), np.zeros(scores.u.shape[1:])
    out = np.empty_like(u)
    for t in range(len(u)):
        now = (1.0 - weight) * now + weight * u[t]
        out[t] = now
    return np.abs(out) / np.sqrt(weight / (2.0 - weight))


def rivals(n: int, phi: float, *, references: int, p: float, seed: int = 11) -> FloatArray:
    """Return the share of steps found by each chart, at one price in false alarms.

    Shape (charts, steps, nights): the two that page, then a mean for each of `WEIGHTS`; the limit
    of each simulated from the same reference, steps in deviations of the stream.
    """
    rng = np.random.default_rng(seed)
    hits = np.zeros((1 + len(WEIGHTS), len(SHIFTS), len(WITHIN)))
    for _ in range(references):
        past = streams(rng, n, 1, 1, phi=phi, rho=0.0)[:, 0, 0]
        limits = limits_of(past[:, None], p, rng, 1_000)
        possible = predictive_scores([past], futures_of(past, rng))
        of_means = [np.quantile(np.max(ewma(possible, w), axis=0), 1.0 - p) for w in WEIGHTS]
        quiet = streams(rng, 40, 30, 1, phi=phi, rho=0.0, start=past[-1:])[:, 0]
        for i, size in enumerate(SHIFTS):
            future = quiet.copy()
            future[30:] += size / np.sqrt(1.0 - phi * phi)
            scores = predictive_scores([past], future)
            paged = np.abs(chart(scores, two_sided=True).score(limits * future.shape[1]))
            beyond = [paged > 1.0] + [
                ewma(scores, w) > limit for w, limit in zip(WEIGHTS, of_means, strict=True)
            ]
            for j, alarm in enumerate(beyond):
                hits[j, i] += [np.mean(alarm[30 : 30 + k].any(axis=0)) for k in WITHIN]
    return hits / references


def futures_of(reference: FloatArray, rng: np.random.Generator, paths: int = 1_000) -> FloatArray:
    """Return futures that the reference leaves possible, as limits are made from."""
    return _futures(reference, rng.standard_normal((HORIZON, paths)), rng)


def spread(chance: FloatArray) -> tuple[float, float]:
    """Return the range over references that leaves out a tenth at either end."""
    low, high = np.quantile(chance, [0.1, 0.9])
    return float(low), float(high)


def _cells(references: int) -> None:
    print(f"Chance of an alarm within {HORIZON} nights, stated {DESK:.3f}; {references} references")
    print("   n   phi   tail      mean   of stated   10-90 % of references")
    for n in (60, 120, 180):
        for phi in (0.0, 0.5, 0.8):
            for df, tail in ((None, "normal"), (5.0, "t(5)")):
                chance = false_alarms(n, phi, references=references, df=df)
                low, high = spread(chance)
                mean = float(np.mean(chance))
                print(
                    f"{n:4d}  {phi:4.1f}   {tail:6s}  {mean:6.3f}   {mean / DESK - 1:+8.0%}   "
                    f"{low:.3f} to {high:.3f}",
                    flush=True,
                )
    print(f"\nShare of steps found within {WITHIN} nights, at {STREAM:.4f} in {HORIZON} nights")
    print("   n   phi   " + "".join(f"{s:>15.0f} sd" for s in STEPS))
    for n in (60, 120, 180):
        for phi in (0.0, 0.5, 0.8):
            share = found(n, phi, references=max(references // 5, 10))
            cells = "".join(f"   {'/'.join(f'{x:.2f}' for x in row):>15s}" for row in share)
            print(f"{n:4d}  {phi:4.1f}   {cells}", flush=True)


def _noise(references: int) -> None:
    print(f"Chance of an alarm within {HORIZON} nights, noise on what wanders: mean, 10-90 %")
    for n in (60, 120):
        for phi, noise in ((0.85, 0.2), (0.85, 0.4), (0.9, 0.5)):
            for p in (DESK, STREAM):
                chance = false_alarms(n, phi, references=references, noise=noise, p=p)
                low, high = spread(chance)
                print(
                    f"{n:4d}  phi {phi:.2f}  noise {noise:.1f}  stated {p:.3f}   "
                    f"{np.mean(chance):.3f}   {low:.3f} to {high:.3f}",
                    flush=True,
                )


def _joint(references: int) -> None:
    print(f"Three headlines together, n = 60, phi = 0.5, stated {DESK:.3f}: mean, 10-90 %")
    for rho in (0.0, 0.5, 0.9):
        chance = false_alarms(60, 0.5, references=references, headlines=3, rho=rho)
        low, high = spread(chance)
        print(
            f"  correlation {rho:.1f}   {np.mean(chance):.3f}   {low:.3f} to {high:.3f}", flush=True
        )
    print(
        f"Three models of one market, three headlines each, every stream at its third of "
        f"{DESK:.3f}: chance of any alarm"
    )
    third = float(-np.expm1(-91.0 / 365.0 / 3.0))
    for rho in (0.0, 0.5, 0.9):
        rng, hits = np.random.default_rng(9), []
        for _ in range(references):
            past = streams(rng, 60, 1, 9, phi=0.5, rho=rho)[:, :, 0]
            future = streams(rng, HORIZON, 100, 9, phi=0.5, rho=rho, start=past[-1])
            beyond = [
                scores_of(
                    past[:, i : i + 3],
                    future[:, i : i + 3],
                    limits_of(past[:, i : i + 3], third, rng, 1_000),
                ).max(axis=0)
                > 1.0
                for i in (0, 3, 6)
            ]
            hits.append(np.mean(np.any(beyond, axis=0)))
        print(f"  correlation {rho:.1f}   {np.mean(hits):.3f}", flush=True)


def _rivals(references: int) -> None:
    print(
        f"Share of steps found within {WITHIN} nights, at {DESK:.3f} in {HORIZON} nights, 60 nights"
    )
    print("phi   chart             " + "".join(f"{s:>16.1f} sd" for s in SHIFTS))
    names = ["step and cusum", *(f"ewma {w:.1f}" for w in WEIGHTS)]
    for phi in (0.0, 0.5, 0.8):
        for name, share in zip(names, rivals(60, phi, references=references, p=DESK), strict=True):
            cells = "".join(f"   {'/'.join(f'{x:.2f}' for x in row):>16s}" for row in share)
            print(f"{phi:.1f}   {name:14s} {cells}", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--references", type=int, default=500)
    parser.add_argument("--joint", action="store_true")
    parser.add_argument("--ewma", action="store_true")
    parser.add_argument("--noise", action="store_true")
    asked = parser.parse_args()
    tables = ((asked.ewma, _rivals), (asked.joint, _joint), (asked.noise, _noise), (True, _cells))
    next(table for wanted, table in tables if wanted)(asked.references)


if __name__ == "__main__":
    main()
