"""Stories of nights: findings made by hand, and incidents carried from one night to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from monitor.diagnostics.base import MetricValue
from monitor.incidents.base import Incident, State, Transition
from monitor.incidents.lifecycle import advance
from monitor.incidents.rules import IncidentRules
from monitor.verdict.base import Cause, Finding, Kind, PastVerdict, Severity, Status, Verdict
from monitor.verdict.market import MARKET

DAY = 86_400_000
KEPT_NIGHTS = 7  # for which the memory keeps a resolved incident
RED, AMBER, INFO = Severity.RED, Severity.AMBER, Severity.INFO


def misfit(model="heston", severity=RED, value=0.08, threshold=0.06):
    """Return a misfit, which is put down to misspecification."""
    message = f"RMSE {100 * value:.2f} vol points"
    cause = Cause.MISSPECIFICATION
    return Finding(
        Kind.MISFIT, cause, severity, model, "rmse_iv", "chain", value, threshold, message
    )


def drift(model="heston", severity=AMBER, score=1.5, headline="rmse_iv"):
    """Return a change beyond its limit."""
    cause, scope = Cause.MISSPECIFICATION, f"headline:{headline}"
    return Finding(
        Kind.DRIFT, cause, severity, model, "change_score", scope, score, 1.0, f"{score} limits"
    )


def flat(model="heston"):
    """Return a doubt of identification, which is put down to calibration."""
    kind, cause = Kind.IDENTIFIABILITY, Cause.CALIBRATION
    return Finding(kind, cause, AMBER, model, "condition", "chain", 5.0, 4.0, "a flat direction")


def level(score=2.0):
    """Return news of the market."""
    kind, scope = Kind.DRIFT, "headline:atm_iv"
    name = "smile_change_score"
    return Finding(kind, Cause.MARKET, INFO, None, name, scope, score, 1.0, "atm_iv moved")


def data(cause=Cause.DATA, metric="n_quotes", value=3.0, threshold=40.0):
    """Return something wrong with the data."""
    message = f"{metric} is {value:g}"
    return Finding(Kind.DATA, cause, AMBER, None, metric, "chain", value, threshold, message)


def verdicts(
    findings: Sequence[Finding], *, blind: bool = False, failed: Sequence[str] = ()
) -> list[Verdict]:
    """Return the night's verdicts: market, svi, heston; those in `failed` did not converge."""
    made = []
    for model in (MARKET, "svi", "heston"):
        own = tuple(f for f in findings if (f.model or MARKET) == model)
        status = Status.WATCH if own else Status.ADEQUATE
        if blind and model == MARKET:
            status = Status.INCONCLUSIVE
        elif blind:
            own, status = tuple(f for f in own if f.kind is Kind.DATA), Status.INCONCLUSIVE
        elif model in failed:
            message = "did not converge"
            own = (
                Finding(
                    *(Kind.NUMERICAL, Cause.CALIBRATION, AMBER, model),
                    *("converged", "chain", None, None, message),
                ),
            )
            status = Status.INCONCLUSIVE
        reason = own[0].message if own else "as usual"
        made.append(Verdict(model, status, reason, own))
    return made


@dataclass
class Story:
    """One stream's incidents, night after night, with the memory that passes have."""

    rules: IncidentRules = field(default_factory=IncidentRules)
    incidents: tuple[Incident, ...] = ()
    past: dict[str, tuple[PastVerdict, ...]] = field(default_factory=dict)
    night: int = 0
    underlying: str = "BTC"
    seconds: int = 0  # after the hour at which a night is due
    life: list[Transition] = field(default_factory=list)

    def pass_(
        self,
        *findings: Finding,
        blind: bool = False,
        failed: Sequence[str] = (),
        numbers: Sequence[MetricValue] = (),
    ) -> tuple[Transition, ...]:
        """Live one more night and return what happened."""
        self.night += 1
        found = verdicts(findings, blind=blind, failed=failed)
        now = self.night * DAY + 1000 * self.seconds
        transitions = advance(
            found,
            self.incidents,
            venue="deribit",
            underlying=self.underlying,
            cadence="day",
            as_of_ms=now,
            run_id=f"run-{self.night}",
            rules=self.rules,
            metrics=numbers,
            past=self.past,
            slot=f"night {self.night}",
        )
        self.life += transitions
        standing = {i.id: i for i in self.incidents} | {
            t.incident.id: t.incident for t in transitions
        }
        self.incidents = tuple(
            i
            for i in standing.values()
            if i.state is not State.RESOLVED or now - (i.resolved_at_ms or 0) < KEPT_NIGHTS * DAY
        )
        for verdict in found:
            beyond = tuple(
                f"{f.kind}/{f.metric}/{f.scope}"
                for f in verdict.findings
                if f.kind is not Kind.DATA
            )
            tonight = PastVerdict(now, verdict.status, beyond)
            self.past[verdict.model] = (*self.past.get(verdict.model, ()), tonight)[-30:]
        return transitions

    def events(self, *findings: Finding, **night: object) -> list[str]:
        """Live one more night and return the names of what happened."""
        return [t.event.value for t in self.pass_(*findings, **night)]  # type: ignore[arg-type]

    def level(self, value: float, limit: float = 0.06) -> tuple[Transition, ...]:
        """Live a night with Heston's error at a level, judged as the rules do."""
        beyond = [misfit(value=value, threshold=limit)] if value > limit else []
        return self.pass_(*beyond, numbers=[calm(value)])

    @property
    def words(self) -> list[str]:
        """Everything that happened, in order."""
        return [t.event.value for t in self.life]

    @property
    def told(self) -> list[str]:
        """What of it the desk was told."""
        return [t.event.value for t in self.life if t.is_news]

    @property
    def open(self) -> list[Incident]:
        """What is not resolved."""
        return [i for i in self.incidents if i.state is not State.RESOLVED]


def calm(value=0.03, model="heston", metric="rmse_iv", scope="chain") -> MetricValue:
    """Return a number of tonight."""
    return MetricValue(metric, model, scope, value, "vol", 100)
