"""A digest on the page: plain text for terminals and phones, HTML for mail."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from html import escape

from monitor.conventions import from_ms
from monitor.incidents.base import Event, Incident, State
from monitor.incidents.letter import Digest, Item
from monitor.incidents.runbook import page_of
from monitor.incidents.words import counted, place

_COLOURS = {"red": "#b3261e", "amber": "#9a6700", "info": "#57606a"}
_STATUS_COLOURS = {
    "adequate": "#1a7f37",
    "watch": "#9a6700",
    "misspecified": "#b3261e",
    "inconclusive": "#57606a",
}


def link_of(base: str, incident: Incident) -> str | None:
    """Return the dashboard's address of an incident; None where no dashboard is named."""
    return f"{base.rstrip('/')}/incidents/{incident.id}" if base else None


def text_of(digest: Digest, now: datetime) -> str:
    """Return the body in plain text."""
    return "\n".join(_text(digest, now)).rstrip() + "\n"


def facts_of(item: Item, flapping_reopenings: int) -> list[str]:
    """Return what is said of one piece of news, line by line."""
    i = item.incident
    lines = [i.message]
    if item.event != Event.OPENED and item.event != Event.RESOLVED:
        lines.append(f"since {from_ms(i.opened_at_ms):%Y-%m-%d}, {counted(i.runs_seen, 'run')}")
    if i.usd is not None and item.event != Event.RESOLVED:
        lines.append(f"worth {i.usd:,.0f} USD on the reference book")
    if i.reopenings >= flapping_reopenings and item.event != Event.RESOLVED:
        lines.append(
            f"flapping: it has come back {counted(i.reopenings, 'time')}. It stays open until it "
            "has been calm for long, and is told again only if it gets worse or ends"
        )
    return lines


def _text(digest: Digest, now: datetime) -> Iterator[str]:
    for item in digest.items:
        i = item.incident
        yield f"{item.severity.value.upper()} {i.cause} {item.words}: {place(i)}  [{i.id}]"
        for line in facts_of(item, digest.flapping_reopenings):
            yield f"  {line}"
        if item.event != Event.RESOLVED:
            page = page_of(i)
            yield f"  it means:      {page.means}"
            yield f"  look at:       {page.look}"
            yield f"  usually helps: {page.helps}"
            yield f"  misspec alerts ack {i.id} --verdict true|false|known --note '…'"
        link = link_of(digest.link, i)
        if link:
            yield f"  {link}"
        yield ""
    if digest.standing:
        yield "Open besides"
        for i in digest.standing:
            yield f"  {_standing(i)}"
        yield ""
    yield from digest.remarks
    if digest.remarks:
        yield ""
    if digest.board:
        yield "Board"
        where = None
        for row in digest.board:
            if row.where != where:
                yield f"  {row.where}, {row.as_of}"
                where = row.where
            yield f"    {row.model:<10} {row.status:<13} {row.reason}"
        yield ""
    yield f"misspec, {now:%Y-%m-%d %H:%M} UTC"


def _standing(i: Incident) -> str:
    acknowledged = ", acknowledged" if i.state is State.ACKNOWLEDGED else ""
    since = f"{from_ms(i.opened_at_ms):%Y-%m-%d}"
    return (
        f"{i.severity.value} {i.cause} {place(i)} since {since}{acknowledged}: {i.message} [{i.id}]"
    )


def html_of(digest: Digest, now: datetime) -> str:
    """Return the body in HTML: tables and inline colours, which every mail program shows."""
    return "".join(_html(digest, now))


def _html(digest: Digest, now: datetime) -> Iterator[str]:
    yield '<div style="font-family:sans-serif;font-size:14px;line-height:1.4">'
    for item in digest.items:
        i, page = item.incident, page_of(item.incident)
        ended = item.event == Event.RESOLVED
        colour = _STATUS_COLOURS["adequate"] if ended else _COLOURS[item.severity.value]
        head = f"{item.severity.value.upper()} {i.cause} {item.words}: {place(i)}"
        link = link_of(digest.link, i)
        name = f'<a href="{escape(link)}">{i.id}</a>' if link else i.id
        yield f'<div style="border-left:4px solid {colour};padding-left:10px;margin:0 0 16px">'
        yield f'<b style="color:{colour}">{escape(head)}</b> <small>{name}</small>'
        for line in facts_of(item, digest.flapping_reopenings):
            yield f"<br>{escape(line)}"
        if not ended:
            yield f"<br><small><b>It means</b> {escape(page.means)}.<br>"
            yield f"<b>Look at</b> <code>{escape(page.look)}</code>.<br>"
            yield f"<b>Usually helps</b> {escape(page.helps)}.</small>"
        yield "</div>"
    if digest.standing:
        yield "<p><b>Open besides</b></p><ul>"
        yield from (f"<li>{escape(_standing(i))}</li>" for i in digest.standing)
        yield "</ul>"
    yield from (f"<p>{escape(remark)}</p>" for remark in digest.remarks)
    if digest.board:
        yield '<table cellpadding="4" style="border-collapse:collapse;font-size:13px">'
        where = None
        for row in digest.board:
            if row.where != where:
                yield f'<tr><th colspan="3" align="left">{escape(row.where)}, {row.as_of}</th></tr>'
                where = row.where
            colour = _STATUS_COLOURS.get(row.status, "#57606a")
            yield f'<tr><td>{escape(row.model)}</td><td style="color:{colour}">'
            yield f"{escape(row.status)}</td><td>{escape(row.reason)}</td></tr>"
        yield "</table>"
    yield f"<p><small>misspec, {now:%Y-%m-%d %H:%M} UTC</small></p></div>"
