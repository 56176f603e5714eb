"""The loopback server: sockets, envelopes and broken transport around `monitor.sandbox.api`."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from monitor.sandbox.api import ApiError, Moment, answer
from monitor.sandbox.clock import Clock
from monitor.sandbox.faults import TRANSPORT, Fault, FaultPlan
from monitor.sandbox.market import Market

_PREFIX = "/api/v2/public/"
_PAGE = (
    "<!DOCTYPE html><html><head><title>Just a moment...</title></head>"
    "<body><h1>Checking your connection</h1></body></html>"
)


@dataclass(frozen=True, slots=True)
class Request:
    """One request that arrived: virtual time, method, parameters."""

    now_ms: int
    method: str
    params: dict[str, str]


class Sandbox:
    """A running exchange; use it as a context manager.

    Parameters
    ----------
    market : Market
    clock : Clock
        Moved by its owner; `get_time` tells it.
    port : int
        0 takes a free one.
    faults : FaultPlan or iterable of Fault
        What goes wrong; more can be added while it runs.
    testnet : bool
        What the envelope says. False only to rehearse a live venue.

    Examples
    --------
    ::

        with Sandbox(market, clock) as sandbox:
            client = ccxt.deribit({"urls": {"api": {"rest": sandbox.url}}})
    """

    def __init__(
        self,
        market: Market,
        clock: Clock,
        *,
        port: int = 0,
        faults: FaultPlan | Iterable[Fault] = (),
        testnet: bool = True,
    ) -> None:
        self.market, self.clock, self.testnet = market, clock, testnet
        self.faults = faults if isinstance(faults, FaultPlan) else FaultPlan(faults)
        self.closing = threading.Event()
        self._requests: list[Request] = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.sandbox = self
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port listened on."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """What a client takes as the venue's base address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def requests(self) -> list[Request]:
        """Every request so far, in order of arrival."""
        with self._lock:
            return list(self._requests)

    def note(self, request: Request) -> None:
        """Keep a request for `requests`."""
        with self._lock:
            self._requests.append(request)

    def start(self) -> Self:
        """Answer from a thread of its own."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop answering; requests held back by a fault are let go."""
        self.closing.set()
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Keep-alive connections of a client outlive the server; nobody waits for them.
    block_on_close = False
    sandbox: Sandbox


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Unbuffered, headers and body leave as two packets and the second waits 40 ms for an
    # acknowledgement.
    wbufsize = -1
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: standard error belongs to the caller."""

    def do_GET(self) -> None:
        sandbox = self.server.sandbox
        now_ms = sandbox.clock.now_ms()
        url = urlsplit(self.path)
        method = url.path.removeprefix(_PREFIX)
        params = dict(parse_qsl(url.query))
        sandbox.note(Request(now_ms, method, params))
        faults = sandbox.faults.draw(method, params, now_ms)
        body, status = self._body(method, params, now_ms, faults)
        for fault in faults:
            if fault.kind in TRANSPORT:
                self._spoil(fault, body)
                return
        self._send(status, body)

    def _body(
        self, method: str, params: dict[str, str], now_ms: int, faults: list[Fault]
    ) -> tuple[bytes, int]:
        moment = Moment(self.server.sandbox.market, now_ms, faults)
        content: dict[str, Any]
        try:
            content, status = {"result": answer(method, params, moment)}, 200
        except ApiError as error:
            content, status = _error(error.code, error.message, error.data), 400
        return self._envelope(content, now_ms), status

    def _envelope(self, content: dict[str, Any], now_ms: int) -> bytes:
        micros = 1000 * now_ms
        whole = {"jsonrpc": "2.0"} | content
        whole |= {"usIn": micros, "usOut": micros + 400, "usDiff": 400}
        whole |= {"testnet": self.server.sandbox.testnet}
        return json.dumps(whole, allow_nan=False, separators=(",", ":")).encode()

    def _spoil(self, fault: Fault, body: bytes) -> None:
        now_ms = self.server.sandbox.clock.now_ms()
        match fault.kind:
            case "timeout":
                self.server.sandbox.closing.wait(fault.size)
                self.close_connection = True
            case "dropped":
                self.close_connection = True
            case "cut_off":
                self._send(200, body, part=fault.size)
                self.close_connection = True
            case "rate_limit":
                error = _error(10028, "too_many_requests", {})
                self._send(429, self._envelope(error, now_ms))
            case "maintenance":
                error = _error(11051, "system_maintenance", {})
                self._send(400, self._envelope(error, now_ms))
            case "server_error":
                self._send(int(fault.size), b"upstream connect error", kind="text/plain")
            case "html":
                self._send(200, _PAGE.encode(), kind="text/html; charset=UTF-8")
            case "empty_body":
                self._send(200, b"")
            case "empty_object":
                self._send(200, b"{}")
            case "null_result":
                self._send(200, self._envelope({"result": None}, now_ms))
            case "truncated":
                self._send(200, body[: int(len(body) * fault.size)])

    def _send(
        self, status: int, body: bytes, *, kind: str = "application/json", part: float = 1.0
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: int(len(body) * part)])
        self.wfile.flush()


def _error(code: int, message: str, data: dict[str, str]) -> dict[str, Any]:
    return {"error": {"message": message, "data": data, "code": code}}
