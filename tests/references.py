"""Where published numbers and recorded chains lie, beside the project; tests skip without them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def published(name: str) -> list[dict[str, str]]:
    """Return the rows of a file of published values, or skip the test that asks."""
    path = SHARED / "reference-values" / name
    if not path.is_file():
        pytest.skip(f"published values are absent: {path.name}")
    with path.open() as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))
