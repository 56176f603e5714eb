"""What is registered: models, metrics, worlds."""

from __future__ import annotations

import typer

from monitor.cli.context import FormatOption, emit, frame_of
from monitor.report.form import Format


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(models)
    app.command()(metrics)
    app.command()(worlds)


def models(form: FormatOption = Format.TABLE) -> None:
    """The models, their parameters and sources."""
    from monitor.models import MODELS

    rows = [
        {
            "name": name,
            "summary": model.summary,
            "parameters": " ".join(p.name for p in model.parameters),
            "per_expiry": model.per_expiry,
            "cadence": model.cadence,
            "source": model.source,
        }
        for name, model in MODELS.items()
    ]
    columns = ["name", "summary", "parameters", "per_expiry", "cadence", "source"]
    emit(frame_of(rows, columns), form)


def metrics(form: FormatOption = Format.TABLE) -> None:
    """The metrics, what each is and where it is from."""
    from monitor.diagnostics import METRICS

    rows = [
        {
            "name": name,
            "level": metric.level,
            "unit": metric.unit,
            "definition": metric.definition,
            "needs": metric.needs,
            "source": metric.source,
        }
        for name, metric in METRICS.items()
    ]
    emit(frame_of(rows, ["name", "level", "unit", "definition", "needs", "source"]), form)


def worlds(form: FormatOption = Format.TABLE) -> None:
    """The sandbox's worlds: markets whose truth, and whose break, is known."""
    from monitor.sandbox.worlds import WORLDS

    rows = [{"name": name, "summary": world.summary} for name, world in WORLDS.items()]
    emit(frame_of(rows, ["name", "summary"]), form)
