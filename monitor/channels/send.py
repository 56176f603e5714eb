"""One message to one receiver, by Apprise."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from typing import Any

from monitor.channels.base import Letter, Outcome
from monitor.channels.secrets import redact
from monitor.verdict.base import Severity

_NOTIFY_TYPE = {Severity.INFO: "info", Severity.AMBER: "warning", Severity.RED: "failure"}
_REASON_LENGTH = 400
# Of the mail being sent: its Message-ID, and its plain text beside the HTML.
_letter: ContextVar[tuple[str | None, str | None]] = ContextVar("letter", default=(None, None))


def apprise_sender(url: str, message: Letter, timeout_s: float) -> Outcome:
    """Send a message to one Apprise address, and return what became of it.

    The message's key goes along wherever the service has a place for it, so that a receiver who
    has it already can drop it: ``dedup_key`` in the payload of web hooks, ``X-Misspec-Key`` and
    the ``Message-ID`` of mail, and the last line of the text everywhere.
    """
    apprise = _loaded()
    with _overheard() as said:
        service = apprise.Apprise.instantiate(url, asset=apprise.AppriseAsset(app_id="misspec"))
        if service is None:
            return Outcome(
                False,
                "this is no address that Apprise understands: correct it in alerts.routes",
                permanent=True,
            )
        _prepare(service, url, message, timeout_s)
        sender = apprise.Apprise()
        sender.add(service)
        text = f"{message.body}\n\nmessage {message.key}"
        is_html = message.html is not None and _shows_html(service)
        tokens = _letter.set((f"<{message.key}@misspec>", text if is_html else None))
        try:
            sent = sender.notify(
                title=message.title,
                body=message.html if is_html else text,
                notify_type=apprise.NotifyType(_NOTIFY_TYPE[message.severity]),
                body_format=apprise.NotifyFormat.HTML if is_html else apprise.NotifyFormat.TEXT,
            )
        except Exception as error:  # a service's own fault must not stop the others' messages
            said.append(f"{type(error).__name__}: {error}")
            sent = False
        finally:
            _letter.reset(tokens)
    if sent:
        return Outcome(True)
    reason = redact("; ".join(said) or "refused without a reason", [url])
    return Outcome(False, reason[:_REASON_LENGTH])


@cache
def _loaded() -> Any:
    """Return Apprise with its services, loaded when somebody is first to be told."""
    with warnings.catch_warnings():
        # What its many services import of other people's is not for us to put right.
        warnings.simplefilter("ignore", DeprecationWarning)
        apprise = import_module("apprise")
        import_module("apprise.manager_plugins").NotificationManager().load_modules()
    return apprise


def _prepare(service: Any, url: str, message: Letter, timeout_s: float) -> None:
    """Give a service the time-out, and the key in its own way."""
    if "rto=" not in url and "cto=" not in url:
        service.socket_connect_timeout = service.socket_read_timeout = timeout_s
    if isinstance(getattr(service, "payload_extras", None), dict):
        service.payload_extras.setdefault("dedup_key", message.key)
        service.payload_extras.setdefault("severity", message.severity.value)
    if isinstance(getattr(service, "headers", None), dict):
        service.headers.setdefault("X-Misspec-Key", message.key)
    if hasattr(service, "alias") and not service.alias:  # Opsgenie, Jira
        service.alias = message.key
    if service.protocol == "mailto":
        _dress_mail()
        if "format=" not in url:
            # Without HTML of ours, proportional type would bend the board, a table of words.
            kind = "text" if message.html is None else "html"
            service.notify_format = type(service.notify_format)(kind)


def _shows_html(service: Any) -> bool:
    """Return whether a receiver gets the HTML: mail does, chats have dialects of their own."""
    return bool(service.protocol == "mailto" and service.notify_format.value == "html")


def _dress_mail() -> None:
    """Let mail carry our Message-ID, and our own plain text beside the HTML.

    Apprise makes its own ID after the custom headers are set, and its own text out of the HTML, and
    offers no way to give either. The replacements answer as the originals do except within a
    sending of ours.
    """
    base: Any = import_module("apprise.plugins.email.base")
    make, convert = base.make_msgid, base.convert_between
    if getattr(make, "_is_ours", False):
        return

    def make_msgid(*args: Any, **kwargs: Any) -> str:
        return _letter.get()[0] or make(*args, **kwargs)

    def convert_between(*args: Any, **kwargs: Any) -> str:
        return _letter.get()[1] or convert(*args, **kwargs)

    make_msgid._is_ours = True  # type: ignore[attr-defined]
    base.make_msgid, base.convert_between = make_msgid, convert_between


class _Ear(logging.Filter):
    """Keeps what Apprise says in this thread, whose return value is a bare False, from every log.

    It may hold an address; and a filter, unlike a handler, comes before all who listen.
    """

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.thread != self._thread:
            return True
        text = record.getMessage().strip()
        if record.levelno >= logging.WARNING or text.startswith("Socket Exception"):
            self.said.append(text)
        return False


@contextmanager
def _overheard() -> Iterator[list[str]]:
    """Collect Apprise's words in place of every log."""
    logger = logging.getLogger("apprise")
    wire = logging.getLogger("urllib3")
    before = logger.level
    logger.setLevel(logging.DEBUG)  # the cause of a failed connection is told at this level only
    if wire.level == logging.NOTSET:
        wire.setLevel(logging.INFO)  # below it, paths of web hooks are printed
    ear = _Ear()
    logger.addFilter(ear)
    try:
        yield ear.said
    finally:
        logger.removeFilter(ear)
        logger.setLevel(before)
