"""Receivers' addresses without what must not be seen.

An Apprise address is made of secrets: a password before the host, a token in its place, a key in
the path or the query. What may be shown is the kind of service, the host where the kind has one,
and four digits that tell two addresses of one service apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from urllib.parse import parse_qsl, unquote, urlsplit

# Kinds whose first part is a machine's name; with the others it may be a token.
_WITH_HOST = frozenset(
    "json jsons xml xmls form forms mailto mailtos gotify gotifys apprise apprises mqtt mqtts "
    "rsyslog http https".split()
)
# Options of addresses that are no secrets and that a reason is the poorer without.
_OPEN = frozenset(
    "from to cc bcc name mode format method overflow verify rto cto smtp port region reply".split()
)
_ADDRESS = re.compile(r"\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s\"'<>]+")
_SHORT = 4


def target_name(url: str) -> str:
    """Return the name under which a receiver is logged and stored.

    Examples
    --------
    >>> target_name("json://desk:hunter2@127.0.0.1:8080/hook/secret")
    'json://127.0.0.1:8080#334c'
    >>> target_name("slack://TokenA/TokenB/TokenC")
    'slack#0f4a'
    """
    # Sixteen bits: enough to tell a desk's few receivers apart, too few to guess a password by.
    mark = sha256(url.encode()).hexdigest()[:4]
    return f"{_shown(url)}#{mark}"


def _shown(url: str) -> str:
    scheme, separator, _ = url.partition("://")
    if not separator or not scheme.replace("+", "").isalnum():
        return "address"
    scheme = scheme.lower()
    if scheme not in _WITH_HOST:
        return scheme
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return scheme
    return f"{scheme}://{host}" + (f":{port}" if port else "")


def redact(text: str, urls: Iterable[str] = ()) -> str:
    """Return a text without the secrets of `urls`, and without any address's.

    Examples
    --------
    >>> redact("POST http://db/hook/T0psecret failed for hunter2", ["json://u:hunter2@db/hook/x"])
    'POST http://db failed for ***'
    """
    found = {secret for url in urls for secret in _secrets(url)}
    text = _ADDRESS.sub(lambda match: _shown(match.group()), text)
    for secret in sorted(found, key=len, reverse=True):
        if len(secret) >= _SHORT:
            text = text.replace(secret, "***")
        else:
            # A short one is also a part of innocent words.
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text)
    return text


def _secrets(url: str) -> set[str]:
    scheme, _, rest = url.partition("://")
    found = {url, rest}
    main, _, query = rest.partition("?")
    authority, _, path = main.partition("/")
    login, at, host = authority.rpartition("@")
    if at:
        found |= {login, *login.split(":")}
    if scheme.lower() not in _WITH_HOST:
        found |= {host, *host.split(":")}
    found |= {path, *path.split("/")}
    found |= {v for k, v in parse_qsl(query) if k.lower() not in _OPEN}
    found |= {unquote(secret) for secret in found}
    return {secret for secret in found if secret.strip("/")}
