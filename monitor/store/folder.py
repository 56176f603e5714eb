"""Where the SQL files are, and the named queries and views in them."""

from __future__ import annotations

import re
from functools import cache
from hashlib import sha256
from pathlib import Path

from sqlalchemy import TextClause, text

import monitor
from monitor.errors import StoreError


@cache
def sql_folder() -> Path:
    """Return the folder of migrations, views and queries.

    An installed wheel carries it as ``monitor/_sql``; a checkout has it beside ``monitor``.

    Raises
    ------
    StoreError
        If neither is there: the installation is broken.
    """
    package = Path(monitor.__file__).resolve().parent
    for folder in (package / "_sql", package.parent / "sql"):
        if (folder / "migrations" / "env.py").is_file():
            return folder
    raise StoreError(
        f"the SQL files are neither in {package / '_sql'} nor in {package.parent / 'sql'}: "
        "install the package again"
    )


@cache
def query(name: str) -> TextClause:
    """Return the statement of ``queries/<name>.sql``, with its ``:parameters``."""
    lines = (sql_folder() / "queries" / f"{name}.sql").read_text(encoding="utf-8").splitlines()
    # A word after a colon would count as a parameter in a comment too.
    return text("\n".join(line for line in lines if not line.startswith("--")))


@cache
def query_live(name: str) -> TextClause:
    """Return `query`, with every backfilled night known when a live desk would have known it.

    That is at its own chain's time instead of the backfill's.
    """
    live = r"""(\g<0> OR (\1.source = 'backfill' AND
        (SELECT own.as_of FROM runs own WHERE own.key = \1.run_key) <= :as_known))"""
    return text(re.sub(r"\b(\w+)\.known_wall <= :as_known", live, query(name).text))


@cache
def views() -> tuple[tuple[str, str], ...]:
    """Return the published views as (name, select statement), each after those it is built on.

    A file is named ``<order>_<view>.sql``.
    """
    files = sorted((sql_folder() / "views").glob("*.sql"))
    return tuple((f.stem.split("_", 1)[1], f.read_text(encoding="utf-8")) for f in files)


@cache
def views_digest() -> str:
    """Return the SHA-256 of all the views: it tells a database whose views are another's."""
    return sha256(repr(views()).encode()).hexdigest()
