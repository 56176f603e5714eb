"""Nights as a desk might have seen them, made by hand."""

from __future__ import annotations

from monitor.proving.nights import Lived, Span
from monitor.proving.seen import Seen, Told

SPAN = Span(learnt=64, broken=6, quiet=6)


def told(severity="red", cause="misspecification", model="heston", scope="chain", message=""):
    return Told(severity, cause, model, "change_score", scope, message)


def night(n, *news, findings=None, settled=True, statuses=(("svi", "adequate"),)):
    return Seen(n, news, news if findings is None else findings, statuses, False, settled)


def lived(world, *nights, seed=0):
    return Lived(world, seed, "BTC", nights)
