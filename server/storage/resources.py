"""Rows that are resources: insert, get, list newest first, delete. Functions of a connection, used by all kinds."""

from __future__ import annotations

import time
import zlib
from typing import Any

from sqlalchemy import Connection, Row, Table, and_, delete, insert, or_, select
from sqlalchemy.exc import IntegrityError

from planner.errors import InvalidInput, Violation
from server.errors import AlreadyExists, NotFound
from server.pages import Page


def now_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


def add(connection: Connection, table: Table, name: str, values: dict[str, Any]) -> None:
    """Insert a row. Raises AlreadyExists with the resource's `name` if the id is taken."""
    try:
        connection.execute(insert(table).values(**values))
    except IntegrityError as error:
        raise AlreadyExists(name) from error


def exists(connection: Connection, table: Table, identity: str) -> bool:
    """Is there a row of that id?"""
    return connection.execute(select(table.c.id).where(table.c.id == identity)).first() is not None


def get(connection: Connection, table: Table, identity: str, name: str) -> Row[Any]:
    """The row of that id. Raises NotFound with the resource's `name`."""
    row = connection.execute(select(table).where(table.c.id == identity)).first()
    if row is None:
        raise NotFound(name)
    return row


def remove(connection: Connection, table: Table, identity: str, name: str) -> None:
    """Delete the row of that id. Raises NotFound with the resource's `name`."""
    if connection.execute(delete(table).where(table.c.id == identity)).rowcount == 0:
        raise NotFound(name)


def newest(connection: Connection, table: Table, page: Page, columns: tuple[str, ...]) -> tuple[list[Row[Any]], str]:
    """One page of rows, newest first, with only `columns`, and the token of the next page."""
    time_column, identity = table.c.create_time_us, table.c.id
    query = select(identity, time_column, *(table.c[name] for name in columns))
    if page.cursor:
        time_us, last = _cursor(page.cursor)
        query = query.where(or_(time_column < time_us, and_(time_column == time_us, identity < last)))
    query = query.order_by(time_column.desc(), identity.desc()).limit(page.size + 1)
    rows = list(connection.execute(query))
    if len(rows) <= page.size:
        return rows, ""
    last_row = rows[page.size - 1]
    return rows[: page.size], page.token(f"{last_row.create_time_us}:{last_row.id}")


def _cursor(cursor: str) -> tuple[int, str]:
    time_us, _, identity = cursor.partition(":")
    if not time_us.isdigit() or len(time_us) > 18:
        raise InvalidInput(Violation("page_token", "a forged token", "next_page_token of a previous answer"))
    return int(time_us), identity


def pack(content: bytes) -> bytes:
    """Compressed for storage."""
    return zlib.compress(content, 6)


def unpack(content: bytes) -> bytes:
    """The content that `pack` stored."""
    return zlib.decompress(content)
