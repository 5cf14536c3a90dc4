"""Long-running operations: stored before they start, run in the pool, ended exactly once.

Each kind of operation is a `Work`: a job to run, and what to store in the transaction that ends it. An operation whose
process died is taken over by the next one that looks (at start, then every few seconds) and run again, or failed with a
reason when that happened too often: it never hangs.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import structlog
from google.longrunning import operations_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc import code_pb2, status_pb2
from sqlalchemy import Connection

from planner.errors import PlanningError
from server import names
from server.convert import errors
from server.errors import Cancelled, Interrupted, NotFound, Overloaded, ServiceError, StoreUnavailable, WorkerLost
from server.execution.pool import WorkerPool
from server.execution.worker import Answer, Job
from server.settings import ExecutionSettings
from server.storage import operations as rows
from server.storage import resources
from server.storage.schema import operations
from server.storage.store import Store
from server.telemetry.metrics import Metrics

_SWEEP_SECONDS = 5.0
_POLL_SECONDS = 0.25


class Once(Protocol):
    """What `services.once` offers: an effect at most once per request id."""

    async def commit(self, operation: str, effect: Callable[[Connection], Message]) -> tuple[bytes, bool]: ...


class Work(Protocol):
    """One kind of operation."""

    async def job(self, request: bytes) -> Job:
        """The job of a stored request."""

    def commit(self, connection: Connection, request: bytes, parts: tuple[bytes, ...]) -> Message:
        """Store what the job gave and return the operation's response; in the transaction that ends it."""

    def stage(self, stage: str) -> Message:
        """The operation's metadata."""


class OperationRunner:
    """Starts, ends, cancels and takes over operations."""

    def __init__(
        self,
        store: Store,
        pool: WorkerPool,
        settings: ExecutionSettings,
        metrics: Metrics,
        kinds: Mapping[str, Work],
    ) -> None:
        self._store, self._pool, self._settings, self._metrics, self._kinds = store, pool, settings, metrics, kinds
        self.owner = rows.new_owner()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        # Plans keep a worker to themselves wherever there are two.
        self._lane = asyncio.Semaphore(max(1, settings.workers - 1))
        self._sweeper: asyncio.Task[None] | None = None
        self._log = structlog.stdlib.get_logger("server.operations")

    def start(self) -> None:
        """Take over what dead processes left, now and from time to time."""
        self._metrics.operations.labels("running").set_function(lambda: len(self._tasks))
        self._sweeper = asyncio.get_running_loop().create_task(self._sweep())

    def create(self, connection: Connection, kind: str, target: str, request: bytes) -> str:
        """Store a new operation in the caller's transaction; `launch` it once that is committed."""
        if len(self._tasks) >= self._settings.operation_limit:
            self._metrics.rejected.labels("operations").inc()
            raise Overloaded("operations open", len(self._tasks), 30.0)
        metadata = _packed(self._kinds[kind].stage("queued"))
        return rows.create(connection, kind, target, request, metadata, self.owner)

    def launch(self, identity: str, kind: str, request: bytes) -> None:
        """Run a stored operation."""
        task = asyncio.get_running_loop().create_task(self._run(identity, kind, request))
        self._tasks[identity] = task
        task.add_done_callback(lambda _: self._tasks.pop(identity, None))

    def created(self, connection: Connection, identity: str) -> operations_pb2.Operation:
        """The operation that `create` stored, in the same transaction."""
        name = names.full(names.OPERATIONS, identity)
        return rows.to_message(resources.get(connection, operations, identity, name))

    async def begin(
        self, once: Once, what: str, start: Callable[[Connection], Message], kind: str, request: bytes
    ) -> operations_pb2.Operation:
        """Store an operation by `start`, once per request id, and launch it."""
        answer, new = await once.commit(what, start)
        message = operations_pb2.Operation.FromString(answer)
        if not new:
            return await self.refreshed(message)
        self.launch(names.identity(names.OPERATIONS, message.name), kind, request)
        return message

    async def refreshed(self, earlier: operations_pb2.Operation) -> operations_pb2.Operation:
        """An operation answered before, as it stands now; as it was if it has been deleted."""
        try:
            return await self.get(names.identity(names.OPERATIONS, earlier.name))
        except NotFound:
            return earlier

    async def get(self, identity: str) -> operations_pb2.Operation:
        """The operation as it stands. Raises NotFound."""
        name = names.full(names.OPERATIONS, identity)
        row = await self._store.read("get_operation", resources.get, operations, identity, name)
        return rows.to_message(row)

    async def wait(self, identity: str, seconds: float) -> operations_pb2.Operation:
        """The operation once it is done, or as it stands after `seconds`."""
        end = asyncio.get_running_loop().time() + seconds
        while True:
            message = await self.get(identity)
            left = end - asyncio.get_running_loop().time()
            if message.done or left <= 0:
                return message
            task = self._tasks.get(identity)
            if task:
                await asyncio.wait({task}, timeout=left)
            else:  # another process runs it, which can only be looked at
                await asyncio.sleep(min(left, _POLL_SECONDS))

    async def cancel(self, identity: str) -> None:
        """End an operation as cancelled, unless it is done."""
        name = names.full(names.OPERATIONS, identity)
        row = await self._store.read("get_operation", resources.get, operations, identity, name)
        if row.done:
            return
        status = errors.to_status(Cancelled(name))
        if await self._store.write("finish_operation", rows.finish, identity, None, status):
            self._record(identity, row.kind, status)
        task = self._tasks.get(identity)
        if task:
            task.cancel()

    async def stop(self) -> None:
        """Stop running operations where they are; the next process takes them over."""
        tasks = [*self._tasks.values(), *([self._sweeper] if self._sweeper else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(StoreUnavailable):
            await self._store.write("release_operations", rows.release, self.owner)

    async def _run(self, identity: str, kind: str, request: bytes) -> None:
        work = self._kinds[kind]
        try:
            async with self._lane:
                await self._store.write("stage_operation", rows.set_metadata, identity, _packed(work.stage("running")))
                answer = await self._answer(await work.job(request))
            if answer.status:
                status = status_pb2.Status.FromString(answer.status)
            else:
                finish = (identity, kind, request, answer.parts)
                await self._store.write("finish_operation", self._commit, *finish)
                status = None
        except (PlanningError, ServiceError) as error:
            status = errors.to_status(error)
        except Exception as error:
            self._log.error("operation failed", operation=identity, exc_info=error)
            status = errors.masked(identity)
        if status is not None:
            await self._fail(identity, status)
        self._record(identity, kind, status)

    async def _answer(self, job: Job) -> Answer:
        """The pool's answer; an operation is patient with a full queue, and survives the loss of a worker."""
        lost = 0
        while True:
            try:
                return await self._pool.run(job, self._settings.operation_timeout_seconds)
            except Overloaded as error:
                await asyncio.sleep(error.retry_after_seconds)
            except WorkerLost:
                lost += 1
                if lost >= self._settings.operation_attempts:
                    raise

    async def _fail(self, identity: str, status: status_pb2.Status) -> None:
        while True:  # an operation must not stay open because the store was away for a moment
            with contextlib.suppress(StoreUnavailable):
                await self._store.write("finish_operation", rows.finish, identity, None, status)
                return
            await asyncio.sleep(_SWEEP_SECONDS)

    def _commit(
        self, connection: Connection, identity: str, kind: str, request: bytes, parts: tuple[bytes, ...]
    ) -> None:
        response = self._kinds[kind].commit(connection, request, parts)
        if not rows.finish(connection, identity, _packed(response), None):
            raise Cancelled(names.full(names.OPERATIONS, identity))  # rolls back what was just stored
        rows.set_metadata(connection, identity, _packed(self._kinds[kind].stage("done")))

    def _record(self, identity: str, kind: str, status: status_pb2.Status | None) -> None:
        code = "OK" if status is None else code_pb2.Code.Name(status.code)
        self._metrics.operations_ended.labels(kind, code).inc()
        self._log.info("operation ended", operation=identity, kind=kind, code=code)

    async def _sweep(self) -> None:
        while True:
            with contextlib.suppress(StoreUnavailable):
                if self._tasks:
                    await self._store.write("beat_operations", rows.beat, self.owner)
                await self._store.write("forget_operations", rows.forget_old)
                for row in await self._store.write("claim_operations", rows.claim_orphans, self.owner):
                    await self._take_over(row)
            await asyncio.sleep(_SWEEP_SECONDS)

    async def _take_over(self, row: Any) -> None:
        name = names.full(names.OPERATIONS, row.id)
        if row.kind not in self._kinds or row.attempts >= self._settings.operation_attempts:
            await self._fail(row.id, errors.to_status(Interrupted(name, row.attempts)))
            self._log.warning("operation given up", operation=name, attempts=row.attempts)
            return
        self._log.warning("operation taken over", operation=name, attempts=row.attempts + 1)
        self.launch(row.id, row.kind, row.request)


def _packed(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed
