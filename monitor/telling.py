"""From what happened to what is told: news gathered into messages, messages delivered.

Imports config and below, and neither venue nor engine: the watchdog, which tells when all else is
down, tells by this. *Refused:* telling from within the pass, one message an underlying.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from monitor.channels import DeliveryReport, Limits, Sender, apprise_sender, deliver_pending
from monitor.channels.secrets import target_name
from monitor.config import Config
from monitor.incidents.base import Message
from monitor.incidents.digest import Digest, address, message_of
from monitor.incidents.matching import Route
from monitor.incidents.news import Plan, plan
from monitor.store import SchemaState, Store, open_store
from monitor.store.news import Desk, board_rows, gather
from monitor.store.outbox import Outbox
from monitor.verdict.base import Severity

CADENCE = "day"  # of the streams on the desk's board


def open_database(config: Config) -> Store:
    """Return the store, created where there is none yet; an older schema is not touched."""
    store = open_store(config.database)
    if store.check() is SchemaState.EMPTY:
        store.upgrade()
    return store


def tell(
    store: Store,
    config: Config,
    *,
    now: datetime,
    older_than: timedelta = timedelta(),
    remarks: Sequence[str] = (),
    sender: Sender = apprise_sender,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
) -> DeliveryReport:
    """Gather the news into one message a receiver, deliver what waits, and return how it went.

    Parameters
    ----------
    store : Store
    config : Config
    now : datetime
        The desk's time.
    older_than : timedelta
        Leave younger news alone: the night that brought them is about to gather them itself.
    remarks : sequence of str
        To be said beside the news, if there are any.
    sender : callable
    limits : Limits
    """

    def decide(desk: Desk) -> tuple[Plan, Sequence[Message]]:
        return decided(desk, config, now=now, remarks=remarks)

    gather(store, decide, now=now, before=now - older_than)
    return deliver_pending(
        Outbox(store),
        routes_of(config),
        now=now,
        addresses=addresses_of(config),
        sender=sender,
        limits=limits,
    )


def decided(
    desk: Desk, config: Config, *, now: datetime, remarks: Sequence[str] = ()
) -> tuple[Plan, list[Message]]:
    """Return what is told of all that is known, and the messages that tell it."""
    owners = {model: use.owner for model, use in config.inventory.items()}
    hours = config.alerts.repeat_hours
    chosen = plan(
        desk.waiting,
        desk.standing,
        told_at=desk.told_at,
        silences=desk.silences,
        owners=owners,
        now=now,
        repeat=timedelta(hours=hours) if hours else None,
    )
    told = {item.incident.id for item in chosen.items}
    board = board_rows(desk.board, cadence=CADENCE, models=config.models)
    messages = []
    by_receiver = address(
        chosen.items,
        owners=owners,
        routes=[
            Route(rule.matcher, tuple(target_name(url) for url in rule.to))
            for rule in config.alerts.rules
        ],
        otherwise={s: tuple(map(target_name, urls)) for s, urls in routes_of(config).items()},
    )
    for receivers, items in by_receiver.items():
        digest = Digest(
            items,
            standing=tuple(
                i for i in desk.standing if i.id not in told and i.severity is not Severity.INFO
            ),
            board=board,
            remarks=tuple(remarks),
            link=config.alerts.link,
            flapping_reopenings=config.incidents.flapping_reopenings,
        )
        messages.append(message_of(digest, receivers, now))
    return chosen, messages


def routes_of(config: Config) -> dict[str, tuple[str, ...]]:
    """Return the receivers' addresses of each severity."""
    return {s.value: config.alerts.routes.of(s) for s in Severity}


def addresses_of(config: Config) -> Mapping[str, str]:
    """Return every receiver's address by its name."""
    return {target_name(url): url for url in config.alerts.urls}
