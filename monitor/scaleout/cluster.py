"""Workers of a Dask cluster: one that is running, or one of this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from logging import ERROR, getLogger
from typing import Any

from distributed import Client, KilledWorker, LocalCluster

from monitor.assess import measure_snapshot
from monitor.assessment import Assessment, Rules, code_digest
from monitor.errors import ConfigurationError
from monitor.market.snapshot import Snapshot
from monitor.scaleout.units import AHEAD, ATTEMPTS, Job, Lookback, Team, judge_unit, lost

ANSWERS_WITHIN_S = 15.0


@dataclass(frozen=True)
class _Measured:
    """A unit of the cluster, and the chain it is about."""

    future: Any
    snapshot: Snapshot

    def done(self) -> bool:
        return bool(self.future.done())


class Cluster(Team):
    """A Dask cluster.

    Raises
    ------
    ConfigurationError
        If the scheduler does not answer, has no worker, or its workers run other code.
    """

    def __init__(self, workers: int, address: str | None) -> None:
        self._cluster = None
        if address is None:
            # On loopback and without a dashboard: this machine's business alone.
            self._cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address=None,
                silence_logs=ERROR,
            )
        try:
            self._client = Client(
                self._cluster or address, timeout=ANSWERS_WITHIN_S, set_as_default=False
            )
        except (OSError, TimeoutError, ValueError) as error:
            raise ConfigurationError(
                f"no Dask scheduler answers at {address}: start one (dask scheduler), check the "
                "address, or leave it out for a cluster of this machine"
            ) from error
        try:
            self._require_same_footing(address)
        except BaseException:
            self.close()
            raise
        self.room = max(1, len(self._client.ncores())) * AHEAD

    def measure(self, snapshot: Snapshot, rules: Rules) -> Job:
        """Begin a unit on any worker; Dask gives it to another where one dies."""
        return _Measured(self._begin(measure_snapshot, snapshot, rules), snapshot)

    def judge(self, job: Job, back: Lookback) -> Callable[[], Assessment]:
        """Begin the rest of a unit; what was measured travels among the workers alone."""
        assert isinstance(job, _Measured)
        future = self._begin(judge_unit, job.future, back)

        def found() -> Assessment:
            try:
                assessment: Assessment = future.result()
            except KilledWorker as error:
                raise lost(job.snapshot) from error
            return assessment

        return found

    def forget(self, job: Job) -> None:
        """Do nothing: a cluster drops what nobody holds."""

    def _begin(self, work: Callable[..., Any], *given: Any) -> Any:
        return self._client.submit(work, *given, pure=False, retries=ATTEMPTS - 1)

    def close(self) -> None:
        """Leave the cluster; end it where it is our own."""
        self._client.close()
        if self._cluster is not None:
            # Its scheduler takes leave with a warning, which the cluster's own silence misses.
            log = getLogger("distributed.scheduler")
            level = log.level
            log.setLevel(ERROR)
            try:
                self._cluster.close()
            finally:
                log.setLevel(level)

    def _require_same_footing(self, address: str | None) -> None:
        """Refuse workers whose numbers could not be ours."""
        found = self._client.run(footing)
        if not found:
            raise ConfigurationError(f"the Dask cluster at {address} has no worker: start some")
        ours = footing()
        for worker, theirs in found.items():
            if theirs != ours:
                raise ConfigurationError(
                    f"the Dask worker {worker} runs other code: {_said(theirs)}, here "
                    f"{_said(ours)}. Install this version of misspec and its pinned packages there"
                )


def footing() -> tuple[str, str, str]:
    """Return what numbers stand on: the digest of our code, the versions of numpy and scipy."""
    return code_digest(), version("numpy"), version("scipy")


def _said(footing: tuple[str, str, str]) -> str:
    code, numpy, scipy = footing
    return f"misspec {code[:12]}, numpy {numpy}, scipy {scipy}"
