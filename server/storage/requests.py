"""Request ids: a repeat within 24 hours gets the first answer, another body under the same id is refused.

The answer is stored in the transaction that stores its effect, hence one request id has one effect, even when the
server dies between the two or two repeats race.
"""

from __future__ import annotations

import hashlib

from google.protobuf.message import Message
from sqlalchemy import Connection, delete, insert, select

from server.errors import RequestIdReused
from server.storage.resources import now_us
from server.storage.schema import requests

_KEPT_US = 24 * 3600 * 1_000_000


def body_sha256(method: str, request: Message) -> str:
    """Digest of what is asked for, whatever its request id."""
    body = type(request)()
    body.CopyFrom(request)
    body.ClearField("request_id")
    return hashlib.sha256(method.encode() + b"\0" + body.SerializeToString(deterministic=True)).hexdigest()


def find(connection: Connection, caller: str, request_id: str, body: str) -> bytes | None:
    """The stored answer to that request id, or None. Raises RequestIdReused for another body."""
    query = select(requests.c.body_sha256, requests.c.response).where(
        requests.c.caller == caller,
        requests.c.request_id == request_id,
        requests.c.create_time_us > now_us() - _KEPT_US,
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    if row.body_sha256 != body:
        raise RequestIdReused(request_id)
    return bytes(row.response)


def remember(connection: Connection, caller: str, request_id: str, body: str, response: bytes) -> None:
    """Store the answer to a request id, and forget those that are too old."""
    connection.execute(delete(requests).where(requests.c.create_time_us <= now_us() - _KEPT_US))
    row = {"caller": caller, "request_id": request_id, "create_time_us": now_us(), "body_sha256": body}
    connection.execute(insert(requests).values(**row, response=response))
