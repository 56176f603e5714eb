"""A record of forty nights with a known story, as a database."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from monitor.conventions import from_ms
from monitor.diagnostics.base import MetricValue
from monitor.store import open_store
from monitor.store.judgements import add_judgement
from monitor.store.writer import write_assessment
from monitor.verdict.judgement import Judgement, JudgementKind
from tests.store.build import make_assessment, wall

NIGHTS = 40
# By model: error in sample, next night, effective parameters.
STORY = {"svi": (0.005, 0.060, 45.0), "heston": (0.040, 0.042, 5.0), "adhoc": (0.045, 0.05, 6.0)}


def numbers(night: int) -> tuple[MetricValue, ...]:
    """Return a night: SVI fits best and fails next day, Heston predicts best."""
    rng = np.random.default_rng(night)
    said = []
    for model, (inside, outside, used) in STORY.items():
        wobble = np.exp(0.1 * rng.standard_normal(2))
        values = {
            "rmse_iv": ("vol", inside * wobble[0]),
            "refreshed_rmse_iv": ("vol", outside * wobble[1]),
            "refreshed_bias_iv": ("vol", 0.01 * float(rng.standard_normal())),
            "rmse_z_spread": ("half-spreads", 100.0 * inside * wobble[0]),
            "effective_parameters": ("count", used),
            "structure_jump": ("1", 2.0 if model == "svi" else 10.0),
            "inside_share": ("share", 0.9),
        }
        said += [MetricValue(name, model, "chain", v, u, 300) for name, (u, v) in values.items()]
    said.append(
        MetricValue("weakest_direction", "heston", "direction:theta_v/kappa", 1.5, "own scales", 9)
    )
    said.append(MetricValue("variance_premium", None, "window:30d", 0.01 * night, "1/year", 720))
    said.append(MetricValue("variance_premium", None, "simulated:30d", 9.0, "1/year", 720))
    return tuple(said)


@pytest.fixture(scope="session")
def record(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    url = f"sqlite:///{tmp_path_factory.mktemp('record') / 'misspec.db'}"
    with open_store(url) as store:
        store.upgrade()
        times = []
        for night in range(NIGHTS):
            found = make_assessment(
                night, models=tuple(STORY), expiries=2, strikes=4, metrics=numbers(night)
            )
            times.append(found.run.as_of_ms)
            write_assessment(store, found, wall=wall(night), tell=False)
        judgement = Judgement(
            id="",
            kind=JudgementKind.TOLERANCE,
            subject="rmse_iv",
            since_ms=times[5],
            until_ms=times[15],
            author="Ada",
            reason="month's end",
            model="svi",
            value=0.02,
        )
        add_judgement(store, judgement, wall=from_ms(times[5]))
    yield url
