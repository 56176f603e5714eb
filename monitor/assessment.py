"""One pass as a value: which run it was, what it may know, what it found.

Imports incidents and below. It stands between the pure core, which makes an `Assessment`, and the
edge, which stores one; neither knows the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

from monitor.arrays import digest_of
from monitor.calibration.fit import Fit
from monitor.calibration.settings import CalibrationSettings
from monitor.diagnostics.base import NO_HISTORY, History, MetricValue
from monitor.diagnostics.drift_rules import DriftRules
from monitor.diagnostics.noise_model import UNLEARNT, NoiseModel
from monitor.incidents.base import Incident, Message, Transition
from monitor.incidents.rules import IncidentRules
from monitor.market.cleaning import CleaningRules
from monitor.market.quotes import Quotes
from monitor.market.snapshot import Snapshot
from monitor.outcome import Rejection
from monitor.verdict.base import PastVerdict, Verdict
from monitor.verdict.inventory import DEFAULT_INVENTORY, ModelUse
from monitor.verdict.judgement import Judgement, JudgementKind
from monitor.verdict.rules import JudgementRules

_PURE = (
    "numerics pricing models market calibration diagnostics replication stress verdict incidents"
).split()
PULSE = "pulse"  # the cadence of passes by last night's structure
# Modules of no package that numbers go through: digests and time, the units of prices, the pass.
_PURE_MODULES = ("arrays.py", "assess.py", "conventions.py", "judging.py")


@dataclass(frozen=True, slots=True)
class Stream:
    """One history: passes of one cadence over one underlying of one venue.

    Attributes
    ----------
    venue, underlying : str
    cadence : str
        ``day`` (one pass a UTC day), ``snapshot`` (every archived chain) or ``pulse``. Histories
        of different cadence are never mixed: autocorrelation differs, and limits with it.
    """

    venue: str
    underlying: str
    cadence: str = "day"


def streams_of(models: Iterable[str], inventory: Mapping[str, ModelUse], *, markets: int) -> int:
    """Return who shares the desk's budget of false pages.

    Parameters
    ----------
    models : iterable of str
        That are judged.
    inventory : mapping of model to ModelUse
        A model without an entry is a benchmark and never pages.
    markets : int
        Underlyings, on each venue: each has the models that may page, and its own smile.
    """
    paging = sum(1 for name in models if name in inventory and inventory[name].pages)
    return markets * (1 + paging)


# Both coins of the default configuration.
_DEFAULT_MODELS = tuple(DEFAULT_INVENTORY)  # every model quick enough for a night
_DEFAULT_STREAMS = streams_of(_DEFAULT_MODELS, DEFAULT_INVENTORY, markets=2)


@dataclass(frozen=True)
class Rules:
    """Everything that can change what a pass says, apart from the data.

    Attributes
    ----------
    models : tuple of str
        Names of the models to judge, in the order of the board.
    cleaning, calibration, drift, judgement, incidents
        The rules of each step.
    inventory : mapping of model to ModelUse
        A model without an entry is a benchmark.
    judgements : tuple of Judgement
        What experts said of this night; inventory and cleaning are those under it already.
    """

    models: tuple[str, ...] = _DEFAULT_MODELS
    cleaning: CleaningRules = CleaningRules()
    calibration: CalibrationSettings = CalibrationSettings()
    drift: DriftRules = DriftRules(streams=_DEFAULT_STREAMS)
    judgement: JudgementRules = JudgementRules()
    incidents: IncidentRules = IncidentRules()
    inventory: Mapping[str, ModelUse] = field(default_factory=lambda: dict(DEFAULT_INVENTORY))
    judgements: tuple[Judgement, ...] = ()

    def digest(self) -> str:
        """Return the SHA-256 of the rules."""
        uses = [(name, self.inventory[name]) for name in sorted(self.inventory)]
        said = [j.effect for j in self.judgements if j.kind is not JudgementKind.ANNOTATE]
        return digest_of(
            [
                self.models,
                self.cleaning,
                self.calibration,
                self.drift,
                self.judgement,
                self.incidents,
                uses,
                *([said] if said else []),
            ]
        )


@dataclass(frozen=True, slots=True)
class Run:
    """The identity of one pass: the same identity means the same numbers.

    Attributes
    ----------
    stream : Stream
    slot : str
        The schedule slot it answers for: ``2026-02-05`` for a day, an ISO time otherwise. Slots of
        one stream sort as text in time order.
    as_of_ms : int
        The venue's time of the chain.
    snapshot : str
        Digest of the snapshot.
    config, code, history : str
        Digests of the rules, of the pure core's source, and of the history window it read.
    """

    stream: Stream
    slot: str
    as_of_ms: int
    snapshot: str
    config: str
    code: str
    history: str

    @property
    def id(self) -> str:
        """Return the run's name: the first 16 hexadecimal digits of the digest of all the above."""
        return digest_of(
            [
                self.stream.venue,
                self.stream.underlying,
                self.stream.cadence,
                self.slot,
                self.as_of_ms,
                self.snapshot,
                self.config,
                self.code,
                self.history,
            ]
        )[:16]


@dataclass(frozen=True, eq=False)
class Past:
    """All that a pass may know of earlier ones.

    Attributes
    ----------
    history : History
        Fits and series, for the metrics.
    verdicts : mapping of model to tuple of PastVerdict, oldest first
        The window the rules look back over.
    incidents : tuple of Incident
        As they stood before this slot: those not resolved, and those resolved recently.
    """

    history: History = NO_HISTORY
    verdicts: Mapping[str, tuple[PastVerdict, ...]] = field(default_factory=dict)
    incidents: tuple[Incident, ...] = ()

    def digest(self) -> str:
        """Return the SHA-256 of what can change a number, a verdict or an incident."""
        # Who has acknowledged what changes no number, no verdict and no incident's life.
        machine = [
            (
                *(i.key, i.id, i.severity, i.state == "resolved", i.opened_at_ms, i.resolved_at_ms),
                *(i.runs_seen, i.runs_quiet, i.reopenings, i.models, i.members),
            )
            for i in sorted(self.incidents, key=lambda i: i.id)
        ]
        verdicts = [(model, self.verdicts[model]) for model in sorted(self.verdicts)]
        return digest_of([self.history.digest(), verdicts, machine])


@dataclass(frozen=True, eq=False)
class Assessment:
    """All that one pass found.

    Attributes
    ----------
    run : Run
    snapshot : Snapshot
    quotes : Quotes or None
        None where the chain could not be judged at all.
    fits : tuple of Fit
        Tonight's, one a model.
    metrics : tuple of MetricValue
    rejections : tuple of Rejection
        Of quotes, expiries, fits and metrics.
    verdicts : tuple of Verdict
        One for every model asked, also when the chain could not be judged.
    transitions : tuple of Transition
    messages : tuple of Message
        For the outbox; empty where nothing is to be told.
    noise : NoiseModel
        What the quotes were held to be off by.
    """

    run: Run
    snapshot: Snapshot
    quotes: Quotes | None
    fits: tuple[Fit, ...]
    metrics: tuple[MetricValue, ...]
    rejections: tuple[Rejection, ...]
    verdicts: tuple[Verdict, ...]
    transitions: tuple[Transition, ...] = ()
    messages: tuple[Message, ...] = ()
    noise: NoiseModel = UNLEARNT


@cache
def code_digest() -> str:
    """Return the SHA-256 of the source of the pure core: what can change a number.

    Comments count; the command line and the database do not.
    """
    sha = sha256()
    root = files("monitor")
    modules = [(name, (root / name).read_bytes()) for name in _PURE_MODULES]
    for part in (modules, *(sorted(_sources(root / package, package)) for package in _PURE)):
        for name, text in part:
            sha.update(name.encode())
            sha.update(text)
    return sha.hexdigest()


def _sources(folder: Traversable, path: str) -> list[tuple[str, bytes]]:
    found = []
    if not folder.is_dir():
        return found
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _sources(entry, f"{path}/{entry.name}")
        elif entry.name.endswith(".py"):
            found.append((f"{path}/{entry.name}", entry.read_bytes()))
    return found
