"""The database behind the server: transactions run in threads, one writer at a time.

SQLite by default, in WAL mode with `synchronous=FULL`: an acknowledged write survives a crash and a power cut, and
readers do not wait for writers. Every write is one transaction, `BEGIN IMMEDIATE`, so that several processes can share
the file. A database that fails answers `StoreUnavailable`, never its own text.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError

from server.errors import StoreUnavailable
from server.storage.schema import operations
from server.telemetry.metrics import Metrics

Result = TypeVar("Result")
_BUSY_TIMEOUT_MS = 5000
_READERS = 4
_log = logging.getLogger("server.storage")


class Store:
    """Reads and writes as async calls of functions that take a connection."""

    def __init__(self, url: str, metrics: Metrics) -> None:
        self.engine = open_engine(url)
        self._metrics = metrics
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-read")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store-write")

    async def read(self, operation: str, work: Callable[..., Result], *arguments: Any) -> Result:
        """`work(connection, *arguments)` in a read transaction. Raises StoreUnavailable."""
        return await self._run(self._readers, "BEGIN", operation, work, arguments)

    async def write(self, operation: str, work: Callable[..., Result], *arguments: Any) -> Result:
        """`work(connection, *arguments)` in a write transaction, committed before this returns.

        Whatever `work` raises rolls everything back. Raises StoreUnavailable.
        """
        return await self._run(self._writer, "BEGIN IMMEDIATE", operation, work, arguments)

    def close(self) -> None:
        """Wait for what is running, then let go of the database."""
        self._writer.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        self.engine.dispose()

    async def _run(
        self, pool: ThreadPoolExecutor, begin: str, operation: str, work: Callable[..., Result], arguments: Any
    ) -> Result:
        loop = asyncio.get_running_loop()
        # Shielded: a caller that goes away does not tear a transaction, it only misses the answer.
        return await asyncio.shield(loop.run_in_executor(pool, self._transact, begin, operation, work, arguments))

    def _transact(self, begin: str, operation: str, work: Callable[..., Result], arguments: Any) -> Result:
        start = time.perf_counter()
        try:
            with self.engine.connect().execution_options(begin=begin) as connection, connection.begin():
                return work(connection, *arguments)
        except IntegrityError:
            raise
        except DBAPIError as error:
            self._metrics.store_errors.labels(operation).inc()
            _log.error("store failed", extra={"operation": operation}, exc_info=error)
            raise StoreUnavailable() from error
        finally:
            self._metrics.store_seconds.labels(operation).observe(time.perf_counter() - start)


def answers(connection: Connection) -> None:
    """The least a store must be able to do: find a table."""
    connection.execute(select(operations.c.id).limit(1)).first()


def open_engine(url: str) -> Engine:
    """An engine for `url`; for SQLite the folder is made and every connection gets the pragmas above."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True)
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = create_engine(parsed, connect_args={"check_same_thread": False, "timeout": _BUSY_TIMEOUT_MS / 1000})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by `_begin_sqlite`, not by the driver
    for pragma in (
        f"busy_timeout={_BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN IMMEDIATE"))
