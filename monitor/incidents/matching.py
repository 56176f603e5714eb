"""Which incidents a route or a silence is about."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields

from monitor.errors import UnknownNameError
from monitor.incidents.base import EVERYWHERE, Incident
from monitor.verdict.base import Severity

Owners = Mapping[str, str]  # of each model in the inventory; may be empty


@dataclass(frozen=True, slots=True)
class Matcher:
    """What an incident must be to be meant; an empty field asks nothing.

    A field may name several. An incident of a whole venue is about all its underlyings; one of
    several models is about each of them, and concerns each of their owners.

    Attributes
    ----------
    incident : tuple of str
        Ids, or their beginnings.
    severity, cause, venue, underlying, model, owner : tuple of str
    """

    incident: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    cause: tuple[str, ...] = ()
    venue: tuple[str, ...] = ()
    underlying: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    owner: tuple[str, ...] = ()

    def matches(self, incident: Incident, owners: Owners, severity: Severity | None = None) -> bool:
        """Return whether an incident is meant.

        Parameters
        ----------
        incident : Incident
        owners : mapping of model to owner
        severity : Severity, optional
            The severity of what is told of it, where that is not its own.
        """
        models = set(incident.models) | ({incident.model} if incident.model else set())
        tests = (
            (self.severity, {str(severity or incident.severity)}),
            (self.cause, {str(incident.cause)}),
            (self.venue, {incident.venue}),
            (self.underlying, {incident.underlying}),
            (self.model, models),
            (self.owner, {owners.get(m, "") for m in models}),
        )
        if self.incident and not any(incident.id.startswith(i) for i in self.incident):
            return False
        return all(not asked or EVERYWHERE in found or found & set(asked) for asked, found in tests)

    @property
    def is_empty(self) -> bool:
        """Whether it means every incident there is."""
        return not any(getattr(self, f.name) for f in fields(self))

    def require_known(self, known: Mapping[str, Collection[str]]) -> None:
        """Refuse a name that no incident can bear: it would match nothing, and nobody would know.

        Parameters
        ----------
        known : mapping of field to names

        Raises
        ------
        UnknownNameError
        """
        for field, names in known.items():
            for name in getattr(self, field):
                if name not in names:
                    raise UnknownNameError(field, name, names)

    def __str__(self) -> str:
        said = [
            f"{f.name} {' or '.join(getattr(self, f.name))}"
            for f in fields(self)
            if getattr(self, f.name)
        ]
        return ", ".join(said) or "everything"


@dataclass(frozen=True, slots=True)
class Route:
    """Who is told of what.

    Attributes
    ----------
    matcher : Matcher
    receivers : tuple of str
        Their names: addresses without secrets.
    """

    matcher: Matcher
    receivers: tuple[str, ...]


def receivers_of(
    incident: Incident,
    severity: Severity,
    owners: Owners,
    routes: Iterable[Route],
    otherwise: Mapping[str, tuple[str, ...]],
) -> tuple[str, ...]:
    """Return who is told: of every route that matches, else those of the severity."""
    matching = [r for r in routes if r.matcher.matches(incident, owners, severity)]
    if not matching:
        return otherwise.get(severity.value, ())
    return tuple(dict.fromkeys(name for route in matching for name in route.receivers))
