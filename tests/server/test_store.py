"""The store: what it promises about schemas, pragmas, faults; and that the migrations make the tables of the code."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import status_pb2
from sqlalchemy import text

from server.errors import AlreadyExists, NotFound, RequestIdReused, StoreUnavailable
from server.pages import Page
from server.storage import migrate, operations, requests, resources
from server.storage.schema import HEAD, metadata, plans, run_sets
from server.storage.schema import operations as operation_rows
from server.storage.store import Store
from server.telemetry.metrics import Metrics


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path / 'apportion.db'}", Metrics())
    migrate.migrate(store.engine)
    yield store
    store.close()


def row(identity: str, time_us: int = 1) -> dict[str, Any]:
    return {"id": identity, "create_time_us": time_us, "message": b"m", "content": b"c"}


def test_migrations_make_exactly_the_tables_of_the_code(store: Store) -> None:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == HEAD
        assert compare_metadata(context, metadata) == []


def test_a_store_of_the_first_release_gets_the_new_tables_and_keeps_its_rows(tmp_path: Path) -> None:
    old = Store(f"sqlite:///{tmp_path / 'old.db'}", Metrics())
    config = Config()
    config.set_main_option("script_location", str(files("server.storage") / "migrations"))
    with old.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        resources.add(connection, run_sets, "runSets/kept", row("kept"))
        connection.commit()
    assert migrate.migrate(old.engine) == "0001"
    with old.engine.connect() as connection:
        assert resources.exists(connection, run_sets, "kept")
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    old.close()


def test_a_newer_store_is_refused_and_an_empty_one_needs_migrating(tmp_path: Path, store: Store) -> None:
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for look in (migrate.migrate, migrate.require_head):
        with pytest.raises(migrate.SchemaMismatch, match="newer than"):
            look(store.engine)
    empty = Store(f"sqlite:///{tmp_path / 'empty.db'}", Metrics())
    with pytest.raises(migrate.SchemaMismatch, match="run `python -m server migrate`"):
        migrate.require_head(empty.engine)
    empty.close()


def test_sqlite_is_opened_for_durability(store: Store) -> None:
    with store.engine.connect() as connection:
        pragmas = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 5000}


async def test_a_write_that_raises_leaves_nothing(store: Store) -> None:
    def half(connection: Any) -> None:
        resources.add(connection, run_sets, "runSets/a", row("a"))
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError):
        await store.write("test", half)
    with pytest.raises(NotFound):
        await store.read("test", resources.get, run_sets, "a", "runSets/a")


async def test_an_id_is_taken_once(store: Store) -> None:
    await store.write("test", resources.add, run_sets, "runSets/a", row("a"))
    with pytest.raises(AlreadyExists):
        await store.write("test", resources.add, run_sets, "runSets/a", row("a"))
    await store.write("test", resources.remove, run_sets, "a", "runSets/a")
    with pytest.raises(NotFound):
        await store.write("test", resources.remove, run_sets, "a", "runSets/a")


async def test_rows_of_one_microsecond_are_paged_once_each(store: Store) -> None:
    for identity in "abcdefg":
        await store.write("test", resources.add, run_sets, identity, row(identity))
    found, page = [], Page("runSets", 2, "")
    while True:
        rows, token = await store.read("test", resources.newest, run_sets, page, ("message",))
        found += [r.id for r in rows]
        if not token:
            break
        page = Page("runSets", 2, f"{rows[-1].create_time_us}:{rows[-1].id}")
    assert found == list("gfedcba")


async def test_a_request_id_is_kept_for_a_day(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    await store.write("test", requests.remember, "me", "id", "body", b"answer")
    assert await store.read("test", requests.find, "me", "id", "body") == b"answer"
    assert await store.read("test", requests.find, "somebody else", "id", "body") is None
    with pytest.raises(RequestIdReused):
        await store.read("test", requests.find, "me", "id", "another body")
    tomorrow = time.time_ns() + 25 * 3600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: tomorrow)
    assert await store.read("test", requests.find, "me", "id", "another body") is None
    await store.write("test", requests.remember, "me", "id", "another body", b"new")
    assert await store.read("test", requests.find, "me", "id", "another body") == b"new"


async def test_a_database_that_is_locked_for_long_answers_unavailable(store: Store, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "apportion.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    pooled = store.engine.raw_connection()
    pooled.cursor().execute("PRAGMA busy_timeout=50")  # the connection keeps it in the pool
    pooled.close()
    with pytest.raises(StoreUnavailable) as fault:
        await store.write("test", resources.add, run_sets, "runSets/a", row("a"))
    assert "locked" not in fault.value.message, "the database's own words stay here"
    other.execute("ROLLBACK")
    other.close()
    await store.write("test", resources.add, run_sets, "runSets/a", row("a"))


async def test_an_operation_ends_once(store: Store) -> None:
    owner = operations.new_owner()
    identity = await store.write("test", operations.create, "FitLaw", "laws/x", b"", AnyMessage(), owner)
    with pytest.raises(AlreadyExists):
        await store.write("test", operations.create, "FitLaw", "laws/x", b"", AnyMessage(), owner)
    assert await store.write("test", operations.finish, identity, AnyMessage(), None)
    assert not await store.write("test", operations.finish, identity, None, status_pb2.Status(code=1))
    found = await store.read("test", resources.get, operation_rows, identity, "operations/x")
    message = operations.to_message(found)
    assert message.done
    assert message.HasField("response")


@pytest.mark.parametrize(
    ("owner", "age_seconds", "orphaned"),
    [
        ("elsewhere|1|aaaa", 5, False),
        ("elsewhere|1|aaaa", 120, True),
        ("{here}|{live}|aaaa", 5, False),
        ("{here}|{live}|aaaa", 120, True),
        ("{here}|999999999|aaaa", 0, True),
    ],
)
async def test_operations_of_dead_owners_only_are_taken_over(
    store: Store, owner: str, age_seconds: int, orphaned: bool
) -> None:
    import os

    here = operations.new_owner().partition("|")[0]
    filled = owner.format(here=here, live=os.getppid())
    identity = await store.write("test", operations.create, "FitLaw", "", b"", AnyMessage(), filled)
    beat = {"i": identity, "t": resources.now_us() - age_seconds * 10**6}
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE operations SET heartbeat_time_us = :t WHERE id = :i"), beat)
    mine = operations.new_owner()
    claimed = await store.write("test", operations.claim_orphans, mine)
    assert [r.id for r in claimed] == ([identity] if orphaned else [])
    assert await store.write("test", operations.claim_orphans, mine) == []


async def test_released_operations_are_taken_over_at_once_and_the_attempt_does_not_count(store: Store) -> None:
    owner = operations.new_owner()
    await store.write("test", operations.create, "FitLaw", "", b"", AnyMessage(), owner)
    await store.write("test", operations.release, owner)
    (claimed,) = await store.write("test", operations.claim_orphans, operations.new_owner())
    assert claimed.attempts == 0


async def test_operations_that_ended_long_ago_are_forgotten(store: Store) -> None:
    owner = operations.new_owner()
    done = await store.write("test", operations.create, "FitLaw", "", b"", AnyMessage(), owner)
    still_open = await store.write("test", operations.create, "FitLaw", "", b"", AnyMessage(), owner)
    await store.write("test", operations.finish, done, AnyMessage(), None)
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE operations SET create_time_us = 0"))
    await store.write("test", operations.forget_old)
    assert not await store.read("test", resources.exists, operation_rows, done)
    assert await store.read("test", resources.exists, operation_rows, still_open)


async def test_plans_are_stored_with_what_is_queried(store: Store) -> None:
    values = {
        "id": "p",
        "create_time_us": 1,
        "kind": "TRAINING",
        "outcome": "OPTIMAL",
        "message": b"",
        "explanation": "",
    }
    await store.write("test", resources.add, plans, "plans/p", values)
    assert await store.read("test", resources.exists, plans, "p")
