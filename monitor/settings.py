"""Sections of the configuration that no room of its own defines: who is told, and when jobs run.

Imports incidents and below.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from monitor.incidents.cron import parse_cron
from monitor.incidents.matching import Matcher
from monitor.verdict.base import Cause, Severity


def _listed(value: object) -> object:
    """Return a list from ``a,b``, as a variable of the environment may give it."""
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(",") if part.strip()]


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]


class Section(BaseModel):
    """A section that knows its keys and refuses others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Routes(Section):
    """Apprise URLs for each severity; an empty list leaves the messages in the log.

    Attributes
    ----------
    info, amber, red : tuple of str
        A red message goes to `red` alone: name a receiver in each list that it should see.
    """

    info: Names = ()
    amber: Names = ()
    red: Names = ()

    def of(self, severity: Severity) -> tuple[str, ...]:
        """Return the receivers of a severity."""
        urls: tuple[str, ...] = getattr(self, severity.value)
        return urls


class Rule(Section):
    """Receivers of what matches: every field that is given must, one of the names in it.

    Attributes
    ----------
    to : tuple of str
        Apprise URLs.
    severity, cause, venue, underlying, model, owner : tuple of str
        Owners are those of the inventory.
    """

    to: Names
    severity: Names = ()
    cause: Names = ()
    venue: Names = ()
    underlying: Names = ()
    model: Names = ()
    owner: Names = ()

    @field_validator("severity", "cause")
    @classmethod
    def _are_known(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        known = [str(v) for v in (Severity if info.field_name == "severity" else Cause)]
        for name in value:
            if name not in known:
                raise ValueError(f"one of {', '.join(known)} is meant, was {name!r}")
        return value

    @property
    def matcher(self) -> Matcher:
        """What it matches."""
        return Matcher(**self.model_dump(exclude={"to"}))


class Alerts(Section):
    """Who is told of what, and how often.

    Attributes
    ----------
    routes : Routes
        Of what no rule matches.
    rules : tuple of Rule
        Each that matches is told.
    link : str
        Base address of the dashboard, for links in messages; empty: none.
    repeat_hours : float
        After how long a red incident that nobody has acknowledged is told again; 0: never.
    receipt_within_days : float
        How long after a test message somebody must have said that it was read; 0: not asked.
    """

    routes: Routes = Routes()
    rules: tuple[Rule, ...] = ()
    link: str = ""
    repeat_hours: float = Field(24.0, ge=0)
    receipt_within_days: float = Field(7.0, ge=0)

    @property
    def urls(self) -> tuple[str, ...]:
        """Every receiver's address."""
        routed = [url for s in Severity for url in self.routes.of(s)]
        return tuple(dict.fromkeys([*routed, *(url for rule in self.rules for url in rule.to)]))


class Schedule(Section):
    """When the flows run, as cron strings, UTC.

    Attributes
    ----------
    nightly : str
        Late in the UTC day, so that the slot of a day is judged on that day's last prices, as a
        backfill judges it, with room before midnight for a retry.
    pulse : str
        When last night's structure is tried on fresh quotes; empty: never.
    watchdog : str
        How often somebody looks whether the jobs were done.
    test_message : str
        When a test message is sent along every route, by the watchdog.
    weekly : str
        When the validation page is written; empty: never.
    retention : str
        When what has outlived its time moves to cold files; empty: never.
    """

    nightly: str = "30 22 * * *"
    pulse: str = "7,22,37,52 * * * *"
    watchdog: str = "15 * * * *"
    test_message: str = "0 9 * * 1"
    weekly: str = "0 5 * * 1"
    retention: str = "0 4 1 * *"

    @field_validator("nightly", "watchdog", "test_message")
    @classmethod
    def _is_cron(cls, value: str) -> str:
        parse_cron(value)
        return value

    @field_validator("pulse", "weekly", "retention")
    @classmethod
    def _is_cron_or_never(cls, value: str) -> str:
        return cls._is_cron(value) if value else value


class Retention(Section):
    """What is kept for how long. Metrics, fits, verdicts and incidents are kept for ever.

    Attributes
    ----------
    residual_months : float
        Age at which each quote's residuals leave the database for cold files; 0: never.
    cold : str
        Folder of the cold files; empty: ``cold`` in the home.
    """

    residual_months: float = Field(24.0, ge=0)
    cold: str = ""

    @field_validator("residual_months")
    @classmethod
    def _leaves_a_past(cls, value: float) -> float:
        if 0 < value < 2:
            raise ValueError("passes look back a month: give 2 or more, or 0 for ever")
        return value
