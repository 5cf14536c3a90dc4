"""A caller's own accelerators, models and calibrations in the store, and the catalogue they make with the shipped ones.

Own entries are few (at most `MOST`), so a question takes all of them along rather than finding out which it names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from google.protobuf.message import Message
from sqlalchemy import Connection, Table, delete, func, select

from apportion.v1 import calibration_pb2, hardware_pb2, planning_service_pb2, price_book_pb2
from planner.errors import InvalidInput, UnknownName, Violation
from planner.hardware import Catalogue
from planner.hardware.tables import key
from server import names
from server.errors import AlreadyExists
from server.execution.own_hardware import calibration_key, pack_hardware, price_book_key, unpack_hardware
from server.storage import resources
from server.storage.schema import accelerators, calibrations, model_shapes, price_books
from server.storage.store import Store

MOST = 1000
M = TypeVar("M", bound=Message)


class OwnHardware:
    """Reads own entries as messages and as attachments of jobs."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def attachments(self, calibrations: Iterable[str] = (), price_books: Iterable[str] = ()) -> dict[str, bytes]:
        """What a job needs to know of own entries, and of those named; blank names are none.

        Raises UnknownName, InvalidInput.
        """
        wanted = [name for name in calibrations if name], [name for name in price_books if name]
        return await self._store.read("read_own_hardware", _attachments, *wanted)

    async def asked_for(self, request: Message) -> dict[str, bytes]:
        """What a planning request needs to know of own entries: all, with what its hardware choices name."""
        choices = list(_choices(request))
        return await self.attachments([c.calibration for c in choices], [c.price_book for c in choices])

    async def catalogue(self, calibration: str = "", price_book: str = "") -> Catalogue:
        """All entries, with the calibration and the price book named. Raises UnknownName, InvalidInput."""
        return unpack_hardware(await self.attachments([calibration], [price_book]), calibration, price_book)

    async def message(self, kind: type[M], table: Table, name: str) -> M | None:
        """The own entry of that name, without regard to case and punctuation, or None."""
        found = await self.messages(kind, table)
        return next((m for m in found if key(_identity(m)) == key(name)), None)

    async def messages(self, kind: Callable[[], M], table: Table) -> list[M]:
        """All own entries of a kind, oldest first."""
        return await self._store.read("read_own_hardware", _entries, table, kind)

    async def remove(self, table: Table, collection: str, name: str) -> None:
        """Forget an own entry. Raises UnknownName, with the nearest own ones."""
        identity = names.identity(collection, name)
        await self._store.write("delete_own_hardware", _remove, table, identity)


def own_identity(field: str, asked: str) -> str:
    """The id of an own entry, which callers choose: it is what they will call it. Raises InvalidInput."""
    if not asked:
        raise InvalidInput(Violation(field, "unset", "the name to call it by"))
    return names.new_identity(field, asked, "")


def add_entry(connection: Connection, table: Table, collection: str, identity: str, message: Any) -> Message:
    """Store an own entry under its id, now. Raises AlreadyExists, InvalidInput where there are too many."""
    full = names.full(collection, identity)
    taken = list(connection.execute(select(table.c.id)).scalars())
    if any(key(other) == key(identity) for other in taken):
        raise AlreadyExists(full)
    if len(taken) >= MOST:
        raise InvalidInput(Violation(collection, f"{len(taken)} own ones", f"at most {MOST}; delete some first"))
    now = resources.now_us()
    message.create_time.FromMicroseconds(now)
    values = {"id": identity, "create_time_us": now, "message": message.SerializeToString()}
    resources.add(connection, table, full, values)
    kept: Message = message
    return kept


def find_calibration(connection: Connection, name: str, field: str = "name") -> calibration_pb2.Calibration:
    """The calibration of that name; of one without a version the newest. Raises UnknownName, InvalidInput."""
    bare = names.identity(names.CALIBRATIONS, name, field)
    identity, at, version = bare.partition("@")
    query = select(calibrations.c.message).where(calibrations.c.calibration == identity)
    if at:
        query = query.where(calibrations.c.version == _version(version, field, name))
    row = connection.execute(query.order_by(calibrations.c.version.desc()).limit(1)).first()
    if row is None:
        raise _unknown(connection, calibrations, bare)
    return calibration_pb2.Calibration.FromString(row.message)


def find_price_book(connection: Connection, name: str, field: str = "name") -> price_book_pb2.PriceBook:
    """The price book of that name. Raises UnknownName, InvalidInput."""
    identity = names.identity(names.PRICE_BOOKS, name, field)
    row = connection.execute(select(price_books.c.message).where(price_books.c.id == identity)).first()
    if row is None:
        raise _unknown(connection, price_books, identity)
    return price_book_pb2.PriceBook.FromString(row.message)


def add_calibration(connection: Connection, identity: str, message: calibration_pb2.Calibration) -> Message:
    """Store the next version of a calibration."""
    newest = select(func.max(calibrations.c.version)).where(calibrations.c.calibration == identity)
    message.version = (connection.execute(newest).scalar() or 0) + 1
    row = f"{identity}@{message.version}"
    message.name = names.full(names.CALIBRATIONS, row)
    message.etag = hashlib.sha256(message.SerializeToString(deterministic=True)).hexdigest()[:16]
    now = resources.now_us()
    message.create_time.FromMicroseconds(now)
    values = {"id": row, "create_time_us": now, "calibration": identity, "version": message.version}
    resources.add(connection, calibrations, message.name, values | {"message": message.SerializeToString()})
    return message


def remove_calibration(connection: Connection, name: str) -> None:
    """Forget one version, or all of them. Raises UnknownName, InvalidInput."""
    identity, at, version = names.identity(names.CALIBRATIONS, name).partition("@")
    gone = delete(calibrations).where(calibrations.c.calibration == identity)
    if at:
        gone = gone.where(calibrations.c.version == _version(version, "name", name))
    if connection.execute(gone).rowcount == 0:
        raise _unknown(connection, calibrations, names.identity(names.CALIBRATIONS, name))


def _remove(connection: Connection, table: Table, identity: str) -> None:
    if connection.execute(delete(table).where(table.c.id == identity)).rowcount == 0:
        raise _unknown(connection, table, identity)


def _unknown(connection: Connection, table: Table, identity: str) -> UnknownName:
    """That there is no own entry of that id, with the nearest; of calibrations by name, or by version if asked so."""
    column = calibrations.c.calibration if table is calibrations and "@" not in identity else table.c.id
    kinds = {calibrations: "calibration", price_books: "price_book", accelerators: "own accelerator"}
    return UnknownName(kinds.get(table, "own model"), identity, connection.execute(select(column).distinct()).scalars())


def _choices(message: Message) -> Iterator[planning_service_pb2.HardwareChoice]:
    """The hardware choices that a message holds."""
    if isinstance(message, planning_service_pb2.HardwareChoice):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for part in value if field.is_repeated else [value]:
                yield from _choices(part)


def _identity(message: Any) -> str:
    return str(message.name.split("/", 1)[1])


def _version(text: str, field: str, name: str) -> int:
    if not text.isdigit() or len(text) > 9:
        raise InvalidInput(Violation(field, repr(name[:80]), "a name like calibrations/my-id@2"))
    return int(text)


def _entries(connection: Connection, table: Table, kind: Callable[[], M]) -> list[M]:
    rows = connection.execute(select(table.c.message).order_by(table.c.create_time_us, table.c.id)).scalars()
    found = []
    for row in rows:
        message = kind()
        message.ParseFromString(row)
        found.append(message)
    return found


def _attachments(connection: Connection, calibrations: list[str], price_books: list[str]) -> dict[str, bytes]:
    named: dict[str, Message] = {
        calibration_key(n): find_calibration(connection, n, "calibration") for n in calibrations
    }
    named |= {price_book_key(n): find_price_book(connection, n, "price_book") for n in price_books}
    return pack_hardware(
        _entries(connection, accelerators, hardware_pb2.Accelerator),
        _entries(connection, model_shapes, hardware_pb2.ModelShape),
        named,
    )
