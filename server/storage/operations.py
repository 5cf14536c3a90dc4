"""Rows of long-running operations: who runs them, whether their owner lives, how they ended."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path
from typing import Any

from google.longrunning import operations_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import status_pb2
from sqlalchemy import Connection, Row, delete, select, update

from server import names
from server.errors import AlreadyExists
from server.storage import resources
from server.storage.schema import operations

_STALE_US = 60 * 1_000_000
_KEPT_US = 30 * 24 * 3600 * 1_000_000


def new_owner() -> str:
    """The name of this process as an owner: host, process id, and something that no later process has."""
    return f"{socket.gethostname()[:60]}|{os.getpid()}|{secrets.token_hex(4)}"


def create(connection: Connection, kind: str, target: str, request: bytes, metadata: AnyMessage, owner: str) -> str:
    """Store an operation about to run; returns its id. Raises AlreadyExists if `target` is being made already."""
    busy = select(operations.c.id).where(operations.c.target == target, operations.c.done.is_(False))
    if target and connection.execute(busy).first() is not None:
        raise AlreadyExists(target)
    identity = f"{kind.lower()}-{secrets.token_hex(8)}"
    values = {
        "id": identity,
        "create_time_us": resources.now_us(),
        "kind": kind,
        "target": target,
        "request": request,
        "metadata": metadata.SerializeToString(),
        "done": False,
        "owner": owner,
        "heartbeat_time_us": resources.now_us(),
        "attempts": 1,
    }
    resources.add(connection, operations, names.full(names.OPERATIONS, identity), values)
    return identity


def finish(connection: Connection, identity: str, response: AnyMessage | None, error: status_pb2.Status | None) -> bool:
    """End an operation, once: False if it was ended (cancelled, say) before."""
    values = {
        "done": True,
        "response": response.SerializeToString() if response is not None else None,
        "error": error.SerializeToString() if error is not None else None,
    }
    open_one = update(operations).where(operations.c.id == identity, operations.c.done.is_(False))
    return connection.execute(open_one.values(**values)).rowcount == 1


def set_metadata(connection: Connection, identity: str, metadata: AnyMessage) -> None:
    """Record progress."""
    row = update(operations).where(operations.c.id == identity)
    connection.execute(row.values(metadata=metadata.SerializeToString()))


def beat(connection: Connection, owner: str) -> None:
    """Say that this owner lives."""
    mine = update(operations).where(operations.c.owner == owner, operations.c.done.is_(False))
    connection.execute(mine.values(heartbeat_time_us=resources.now_us()))


def claim_orphans(connection: Connection, owner: str) -> list[Row[Any]]:
    """Take over the open operations whose owner is dead; their rows, with the attempts they now have."""
    query = select(operations).where(operations.c.done.is_(False), operations.c.owner != owner)
    orphans = [row for row in connection.execute(query) if _is_dead(row.owner, row.heartbeat_time_us)]
    for row in orphans:
        mine = {"owner": owner, "attempts": row.attempts + 1, "heartbeat_time_us": resources.now_us()}
        connection.execute(update(operations).where(operations.c.id == row.id).values(**mine))
    return orphans


def release(connection: Connection, owner: str) -> None:
    """Give up this owner's open operations for anyone to take over; a stop in good order is no failed attempt."""
    mine = update(operations).where(operations.c.owner == owner, operations.c.done.is_(False))
    connection.execute(mine.values(owner="", heartbeat_time_us=0, attempts=operations.c.attempts - 1))


def forget_old(connection: Connection) -> None:
    """Delete the operations that were started more than 30 days ago and are done."""
    old = operations.c.create_time_us < resources.now_us() - _KEPT_US
    connection.execute(delete(operations).where(operations.c.done.is_(True), old))


def to_message(row: Row[Any]) -> operations_pb2.Operation:
    """The operation as clients see it."""
    message = operations_pb2.Operation(name=names.full(names.OPERATIONS, row.id), done=row.done)
    message.metadata.MergeFromString(row.metadata)
    if row.error is not None:
        message.error.MergeFromString(row.error)
    elif row.response is not None:
        message.response.MergeFromString(row.response)
    return message


def _is_dead(owner: str, heartbeat_time_us: int) -> bool:
    if heartbeat_time_us < resources.now_us() - _STALE_US:
        return True  # gone, or asleep: an operation ends once, whoever ends it
    host, _, rest = owner.partition("|")
    process = rest.partition("|")[0]
    if host == socket.gethostname()[:60] and process.isdigit() and Path("/proc/self").exists():
        # The same process id can only be ours after a restart in a container, and then the old owner is gone.
        return int(process) == os.getpid() or not Path(f"/proc/{process}").exists()
    return False
