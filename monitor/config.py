"""What can be set, from one TOML file and the environment; what is not known is refused.

Imports the edge and below, for the settings that each room defines itself. `--config` names the
file, else ``MISSPEC_CONFIG``, else the defaults stand; every key can be overridden by a variable
with prefix ``MISSPEC_`` and ``__`` between levels (``MISSPEC_JUDGEMENT__MIN_QUOTES=60``).

*Refused:* keys that are passed over in silence, a mistyped threshold being the worst kind of
default; a second place that repeats the defaults of a room.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass, replace
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs
from pydantic import (
    BaseModel,
    Field,
    ValidationError,
    create_model,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from monitor.assessment import Rules, streams_of
from monitor.calibration.settings import CalibrationSettings
from monitor.diagnostics.drift_rules import DriftRules
from monitor.errors import ConfigurationError, UnknownNameError
from monitor.incidents.rules import IncidentRules
from monitor.market.cleaning import CleaningRules
from monitor.models import MODELS
from monitor.settings import Alerts, Names, Retention, Schedule, Section
from monitor.venues import VENUES
from monitor.verdict.base import Cause, Severity
from monitor.verdict.inventory import DEFAULT_INVENTORY, ModelUse
from monitor.verdict.market import MARKET
from monitor.verdict.rules import JudgementRules

PREFIX = "MISSPEC_"
FILE_VARIABLE = "MISSPEC_CONFIG"


class _Environment(EnvSettingsSource):
    """The environment, where a list or a mapping at any depth is written as JSON."""

    def __call__(self) -> dict[str, Any]:
        """Return what it says, as nested mappings."""
        return {name: self._decoded(name, value) for name, value in super().__call__().items()}

    def _decoded(self, name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._decoded(f"{name}__{key}", inner) for key, inner in value.items()}
        if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
            try:
                return json.loads(value)
            except ValueError as error:
                raise SettingsError(f"{PREFIX}{name.upper()} is no JSON: {error}") from error
        return value


class _Venues(Section):
    """Where chains come from: the settings of each venue by its name, defined by the venue.

    Attributes
    ----------
    active : tuple of str
        The venues that a night asks.
    """

    active: Names = ("deribit",)

    @field_validator("active")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            VENUES[name]
        return tuple(dict.fromkeys(value))


if TYPE_CHECKING:
    Venues = _Venues
else:
    Venues = create_model(
        "Venues",
        __base__=_Venues,
        **{
            name: (kind.settings, Field(default_factory=kind.settings))
            for name, kind in VENUES.items()
        },
    )


class Config(BaseSettings):
    """All settings.

    Attributes
    ----------
    home : Path
        Where the archive, the database and reports live.
    database_url : str
        SQLAlchemy URL; empty: an SQLite file in `home`.
    underlyings, models : tuple of str
    venues, cleaning, calibration, drift, judgement, incidents, alerts, schedule, retention
        One section each, defined by the room that uses it.
    inventory : mapping of model to ModelUse
        Laid over the default inventory, key by key.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    home: Path = Field(default_factory=lambda: platformdirs.user_data_path("misspec"))
    database_url: str = ""
    underlyings: Names = ("BTC", "ETH")
    models: Names = Rules().models
    venues: Venues = Venues()
    cleaning: CleaningRules = CleaningRules()
    calibration: CalibrationSettings = CalibrationSettings()
    drift: DriftRules = DriftRules()
    judgement: JudgementRules = JudgementRules()
    incidents: IncidentRules = IncidentRules()
    inventory: dict[str, ModelUse] = Field(default_factory=lambda: dict(DEFAULT_INVENTORY))
    alerts: Alerts = Alerts()
    schedule: Schedule = Schedule()
    retention: Retention = Retention()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the environment before what the file said."""
        return _Environment(settings_cls), init_settings

    @field_validator("home")
    @classmethod
    def _is_absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("underlyings")
    @classmethod
    def _in_capitals(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("name at least one underlying, for example BTC")
        return tuple(dict.fromkeys(name.upper() for name in value))

    @field_validator("models")
    @classmethod
    def _at_least_one(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError(f"name at least one model; known: {', '.join(MODELS)}")
        return tuple(dict.fromkeys(value))

    @field_validator("cleaning")
    @classmethod
    def _european_only(cls, value: CleaningRules) -> CleaningRules:
        if value.min_tenor_h < 1:
            raise ValueError(
                f"min_tenor_h must be at least 1, was {value.min_tenor_h}: in its last half hour "
                "an option settles on an average"
            )
        return value

    @field_validator("cleaning", "calibration", "drift", "judgement", "incidents", "inventory")
    @classmethod
    def _measures_are_sane(cls, value: object) -> object:
        entries: list[Any] = list(value.values()) if isinstance(value, Mapping) else [value]
        for entry in entries:
            for key, number in asdict(entry).items():
                if isinstance(number, str | tuple) or number is None:
                    continue
                if not (isfinite(number) and number >= 0):
                    raise ValueError(f"{key} must be zero or more, was {number}")
                if key.endswith("_share") and number > 1:
                    raise ValueError(f"{key} is a share: 0.85 is 85 %, was {number}")
        return value

    @field_validator("inventory", mode="before")
    @classmethod
    def _laid_over_the_default(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        merged: dict[str, object] = dict(DEFAULT_INVENTORY)
        for model, entry in value.items():
            below = DEFAULT_INVENTORY.get(model)
            if below is not None and isinstance(entry, Mapping):
                merged[model] = {**asdict(below), **entry}
            else:
                merged[model] = entry
        return merged

    @property
    def database(self) -> str:
        """The database's SQLAlchemy URL."""
        return self.database_url or f"sqlite:///{self.home / 'misspec.db'}"

    @property
    def archive(self) -> Path:
        """The folder of raw snapshots."""
        return self.home / "archive"

    @property
    def cold(self) -> Path:
        """The folder of what has left the database."""
        return Path(self.retention.cold).expanduser() if self.retention.cold else self.home / "cold"

    def venue(self, name: str) -> Any:
        """Return the settings of a venue, of the venue's own type."""
        VENUES[name]
        return getattr(self.venues, name)

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """What an incident of this desk can be matched by, field by field."""
        return {
            "severity": tuple(Severity),
            "cause": tuple(Cause),
            "venue": tuple(VENUES),
            "underlying": self.underlyings,
            "model": (*dict.fromkeys((*self.models, *self.inventory)), MARKET),
            "owner": tuple({use.owner for use in self.inventory.values() if use.owner}),
        }

    def rules(self) -> Rules:
        """Return everything that can change what a pass says, apart from the data."""
        return Rules(
            models=self.models,
            cleaning=self.cleaning,
            calibration=self.calibration,
            drift=self._drift(),
            judgement=self.judgement,
            incidents=self.incidents,
            inventory=self.inventory,
        )

    def _drift(self) -> DriftRules:
        """Return what change is judged by; all there are share the budget, unless it is said."""
        if self.drift.streams is not None:
            return self.drift
        markets = len(self.underlyings) * len(self.venues.active)
        streams = streams_of(self.models, self.inventory, markets=markets)
        return replace(self.drift, streams=streams)


def load_config(path: Path | None = None) -> Config:
    """Return the configuration of a file, or of ``MISSPEC_CONFIG``, under the environment.

    Raises
    ------
    ConfigurationError
        If the file cannot be read, a key is not known, or a value is not allowed.
    UnknownNameError
        If a model is not registered.
    """
    if path is None and os.environ.get(FILE_VARIABLE):
        path = Path(os.environ[FILE_VARIABLE])
    content = _read(path) if path is not None else {}
    _refuse_unknown_variables()
    try:
        config = Config(**content)
    except ValidationError as error:
        raise ConfigurationError("; ".join(_explain(e, path) for e in error.errors())) from error
    except SettingsError as error:
        raise ConfigurationError(
            f"{error}; a list or a section is given as JSON, {_EXAMPLE}"
        ) from error
    for model in (*config.models, *config.inventory, *config.calibration.pull):
        MODELS[model]
    for model in config.calibration.pull:
        if MODELS[model].per_expiry:
            raise ConfigurationError(
                f"calibration.pull names {model}, whose parameters are each expiry's own: there is "
                "no structure of last night's to draw a fit to"
            )
    for number, rule in enumerate(config.alerts.rules, 1):
        try:
            rule.matcher.require_known(config.names)
        except UnknownNameError as error:
            raise ConfigurationError(f"alerts.rules, the {number}. of them: {error}") from error
    return config


_EXAMPLE = """for example MISSPEC_ALERTS__ROUTES='{"red": ["mailto://…"]}'"""


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"the configuration file {path} cannot be read: {error.strerror}"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from error


def _refuse_unknown_variables() -> None:
    # Deeper levels are refused by the sections themselves.
    for name in sorted(os.environ):
        if not name.upper().startswith(PREFIX) or name.upper() == FILE_VARIABLE:
            continue
        first = name[len(PREFIX) :].split("__")[0].lower()
        if first not in Config.model_fields:
            known = [PREFIX + key.upper() for key in Config.model_fields] + [FILE_VARIABLE]
            near = get_close_matches(name.split("__")[0].upper(), known, n=1)
            raise ConfigurationError(
                f"the environment holds {name}, which is no setting."
                f"{f' Did you mean {near[0]}?' if near else ''} Known: {', '.join(known)}"
            )


def _explain(error: Mapping[str, Any], path: Path | None) -> str:
    """Return one validation error as a sentence: where, what was found, what is allowed."""
    where = [str(part) for part in error["loc"]]
    variable = PREFIX + "__".join(where).upper()
    source = f" ({variable})" if variable in os.environ else f" ({path})" if path else ""
    key = ".".join(where)
    if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        known = _keys_of(where[:-1])
        near = get_close_matches(where[-1], known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return f"no setting is named {key!r}{source}.{hint} Known: {', '.join(known)}"
    message = error["msg"].removeprefix("Value error, ")
    return f"{key} cannot be {error['input']!r}{source}: {message[0].lower()}{message[1:]}"


def _keys_of(where: list[str]) -> list[str]:
    """Return the known keys of the section at a path."""
    here: Any = Config
    for part in where:
        if isinstance(here, type) and issubclass(here, BaseModel):
            here = here.model_fields[part].annotation
        else:  # a mapping of names to entries: the inventory
            here = here.__args__[-1]
    if is_dataclass(here):
        return sorted(f.name for f in fields(here))
    return sorted(here.model_fields)
