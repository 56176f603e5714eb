"""Receivers on loopback: a web hook and a mail server that answer as they are told."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message as Mail
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class WebHook:
    """A web hook: what it received, and what it will answer.

    Attributes
    ----------
    port : int
    received : list of dict
        Payloads that were answered with 200.
    answers : list of int, float or str
        Status of the coming requests, in order, then 200; ``"silence"`` never answers, a float
        takes the message and says so after so many seconds.
    """

    port: int = 0
    received: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    answers: list[int | float | str] = field(default_factory=list)
    requests: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Its Apprise address, with all the secrets an address can hold."""
        return f"json://desk:T0p-passw0rd@127.0.0.1:{self.port}/hook/s3cretpath?-key=s3cretkey"


@contextmanager
def web_hook(port: int = 0) -> Iterator[WebHook]:
    """Run a web hook on a port, a free one by default."""
    hook = WebHook()

    class Handler(BaseHTTPRequestHandler):
        wbufsize = -1

        def do_POST(self) -> None:
            hook.requests += 1
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = hook.answers.pop(0) if hook.answers else 200
            if answer == "silence":
                hook.released.wait(30)
                return
            wait_s, answer = (answer, 200) if isinstance(answer, float) else (0.0, answer)
            if answer == 200:
                hook.received.append(json.loads(body))
                hook.headers.append(dict(self.headers))
            hook.released.wait(wait_s)
            # Who would not wait for it has hung up.
            with suppress(ConnectionError):
                self.send_response(int(answer))
                self.send_header("Content-Length", "0")
                self.end_headers()
                self.wfile.flush()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    hook.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hook
    finally:
        hook.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class MailBox:
    """A mail server: what it accepted, and what it will answer.

    Attributes
    ----------
    answers : list of str or float
        Answers to the coming messages, in order, then acceptance; a float accepts after so many
        seconds.
    """

    port: int = 0
    received: list[Mail] = field(default_factory=list)
    answers: list[str | float] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its Apprise address."""
        people = "from=misspec@desk.example&to=ann@desk.example"
        return f"mailto://127.0.0.1:{self.port}/?{people}&mode=insecure"

    async def handle_DATA(  # noqa: N802 (aiosmtpd's name)
        self, server: Any, session: Any, envelope: Any
    ) -> str:
        """Accept a message, or refuse it as told."""
        answer = self.answers.pop(0) if self.answers else 0.0
        if isinstance(answer, str):
            return answer
        await asyncio.sleep(answer)
        self.received.append(BytesParser().parsebytes(envelope.content))
        return "250 OK"


@contextmanager
def mail_box(port: int = 0) -> Iterator[MailBox]:
    """Run a mail server on a port, a free one by default."""
    from aiosmtpd.controller import Controller

    box = MailBox()

    class OnFreePort(Controller):
        def _trigger_server(self) -> None:
            # The port is not known before the server has one.
            self.port = self.server.sockets[0].getsockname()[1]
            super()._trigger_server()

    controller = OnFreePort(box, hostname="127.0.0.1", port=port)
    controller.start()
    box.port = controller.port
    try:
        yield box
    finally:
        controller.stop()
