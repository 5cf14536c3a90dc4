"""Which schema a store has, and how it gets the newest one.

`serve` brings an empty or older SQLite file up to date by itself (and says so), since it has one owner; any other
database is migrated by `python -m server migrate`. A store of a newer release is refused: it is never written to by
code that does not know it.
"""

from __future__ import annotations

from importlib.resources import files

from sqlalchemy import Engine, inspect, text

from server.errors import CannotServe
from server.storage.schema import HEAD


class SchemaMismatch(CannotServe):
    """The store's schema is not the one this release works with."""


def current(engine: Engine) -> str:
    """The store's schema revision; empty for an empty database."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return ""
        return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")


def migrate(engine: Engine) -> str:
    """Bring the store to the newest schema; returns the revision it had. Raises SchemaMismatch if it is newer."""
    before = current(engine)
    if before == HEAD:
        return before
    _refuse_newer(before)
    from alembic import command  # late: a fifth of a second that most starts do not need
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(files("server.storage") / "migrations").replace("%", "%%"))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, HEAD)
        connection.commit()
    return before


def require_head(engine: Engine) -> None:
    """Raise SchemaMismatch unless the store has the newest schema."""
    before = current(engine)
    if before == HEAD:
        return
    _refuse_newer(before)
    found = f"schema {before}" if before else "no tables"
    raise SchemaMismatch(f"the store has {found}, this release needs {HEAD}: run `python -m server migrate` first")


def _refuse_newer(revision: str) -> None:
    # Revisions are numbered; one that is not known here was made by a later release.
    if revision and revision > HEAD:
        raise SchemaMismatch(f"the store has schema {revision}, newer than {HEAD}: use the release that wrote it")
