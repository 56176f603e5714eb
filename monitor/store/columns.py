"""What all tables are made of: names of constraints, and columns of one kind made in one way."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Double,
    ForeignKey,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Names, digests and instants are compared as bytes on both databases: an operating system's
# collation would make PostgreSQL sort slots by its own taste, and index them slower.
_Text = Text().with_variant(Text(collation="C"), "postgresql")


def text_(name: str, *args: Any, nullable: bool = False, **kw: Any) -> Column[Any]:
    """Return a column of text."""
    return Column(name, _Text, *args, nullable=nullable, **kw)


def int_(name: str, *args: Any, nullable: bool = False, **kw: Any) -> Column[Any]:
    """Return a column of whole numbers."""
    return Column(name, Integer, *args, nullable=nullable, **kw)


def small(name: str, *args: Any, nullable: bool = False, **kw: Any) -> Column[Any]:
    """Return a column of small whole numbers."""
    return Column(name, SmallInteger, *args, nullable=nullable, **kw)


def real(name: str, *, nullable: bool = True) -> Column[Any]:
    """Return a column of numbers; an absent one is NULL."""
    return Column(name, Double, nullable=nullable)


def flag(name: str) -> Column[Any]:
    """Return a column of yes or no."""
    return Column(name, Boolean, nullable=False)


def key_() -> Column[Any]:
    """Return the primary key of a table of its own."""
    return Column("key", Integer, primary_key=True)


def run_key(*, nullable: bool = False, **kw: Any) -> Column[Any]:
    """Return the column that says which run a row belongs to."""
    return int_("run_key", ForeignKey("runs.key"), nullable=nullable, **kw)


def model_key(**kw: Any) -> Column[Any]:
    """Return the column that says which model a row is about."""
    return small("model_key", ForeignKey("models.key"), **kw)


def table(name: str, *parts: Any) -> Table:
    """Return a table."""
    return Table(name, metadata, *parts)


def narrow(name: str, *parts: Any) -> Table:
    """Return a table that SQLite stores in the order of its primary key."""
    return Table(name, metadata, *parts, sqlite_with_rowid=False)
