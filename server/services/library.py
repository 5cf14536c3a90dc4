"""Laws by name, whether published or fitted: what planning and prediction look up.

Published laws come first and cannot be shadowed; an unknown name is answered with the nearest of both kinds.
"""

from __future__ import annotations

from functools import cache

from google.protobuf.message import Message
from sqlalchemy import Connection, select

from apportion.v1 import law_pb2, table_pb2
from planner.errors import UnknownName
from planner.laws import Law, law, laws
from server import names
from server.convert import laws as law_messages
from server.execution import attachments
from server.storage import resources
from server.storage.schema import laws as law_rows
from server.storage.store import Store

_SUGGESTED = 1000


class Library:
    """Reads laws from the planner's catalogue and from the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def law(self, name: str, field: str = "name") -> Law:
        """The law as the planner's record. Raises UnknownName."""
        identity = names.identity(names.LAWS, name, field)
        if is_published(identity):
            return law(identity)
        stored = await self._stored(identity)
        return law_messages.from_law(*stored)

    async def message(self, name: str, *, draws: bool) -> law_pb2.Law:
        """The law as a message. Raises UnknownName."""
        identity = names.identity(names.LAWS, name)
        if is_published(identity):
            return published(identity.lower(), draws=draws)
        message, cloud, _ = await self._stored(identity)
        if draws:
            message.draws.CopyFrom(cloud)
        return message

    async def attachments(self, name: str) -> dict[str, bytes]:
        """What a job needs to know a law by: nothing if it is published (or unset), else its content."""
        identity = names.identity(names.LAWS, name, "law") if name else ""
        if not identity or is_published(identity):
            return {}
        packed = attachments.pack_law(*await self._stored(identity))
        return {names.full(names.LAWS, identity): packed}

    async def _stored(self, identity: str) -> tuple[law_pb2.Law, law_pb2.LawDraws, table_pb2.NumberCells]:
        return await self._store.read("get_law", _read, identity)


@cache
def published(identity: str, *, draws: bool = False) -> law_pb2.Law:
    """The message of a published law; callers must not change it."""
    entry = law(identity)
    message = law_messages.to_law(entry)
    if draws:
        message.draws.CopyFrom(law_messages.to_draws(entry))
    return message


def is_published(identity: str) -> bool:
    """Is there a published law of that name, without regard to case?"""
    return identity.lower() in {entry.name for entry in laws()}


def _read(connection: Connection, identity: str) -> tuple[law_pb2.Law, law_pb2.LawDraws, table_pb2.NumberCells]:
    row = connection.execute(select(law_rows).where(law_rows.c.id == identity)).first()
    if row is None:
        recent = select(law_rows.c.id).order_by(law_rows.c.create_time_us.desc()).limit(_SUGGESTED)
        known = [entry.name for entry in laws()] + list(connection.execute(recent).scalars())
        raise UnknownName("law", identity, known)
    draws, residuals = law_pb2.LawDraws(), table_pb2.NumberCells()
    parts: tuple[tuple[Message, bytes], ...] = ((draws, row.draws), (residuals, row.residuals))
    for message, content in parts:
        message.ParseFromString(resources.unpack(content))
    return law_pb2.Law.FromString(row.message), draws, residuals
