"""One effect per request id: the answer is looked up first, and stored together with its effect."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message
from sqlalchemy import Connection

from planner.errors import InvalidInput, Violation
from server.interceptors import call
from server.storage import requests
from server.storage.store import Store


class Once:
    """The request id of one call of `method`; does nothing if the caller gave none."""

    def __init__(self, store: Store, method: str, request: Any) -> None:
        self._store = store
        self._identity: str = request.request_id
        if self._identity:
            _require_uuid(self._identity)
            self._body = requests.body_sha256(method, request)
            self._caller = call.current().caller

    async def earlier(self) -> bytes | None:
        """The answer that this request id got before. Raises RequestIdReused."""
        if not self._identity:
            return None
        return await self._store.read("find_request", requests.find, self._caller, self._identity, self._body)

    async def commit(self, operation: str, effect: Callable[[Connection], Message]) -> tuple[bytes, bool]:
        """(serialised answer, whether it is new): `effect` in one transaction with the request id."""
        return await self._store.write(operation, self._transact, effect)

    def _transact(self, connection: Connection, effect: Callable[[Connection], Message]) -> tuple[bytes, bool]:
        if not self._identity:
            return effect(connection).SerializeToString(), True
        # Again, now that nobody else can write: a repeat may have raced this call.
        before = requests.find(connection, self._caller, self._identity, self._body)
        if before is not None:
            return before, False
        answer = effect(connection).SerializeToString()
        requests.remember(connection, self._caller, self._identity, self._body, answer)
        return answer, True


def _require_uuid(identity: str) -> None:
    try:
        uuid.UUID(identity)
    except ValueError as error:
        raise InvalidInput(Violation("request_id", repr(identity[:80]), "a UUID")) from error
