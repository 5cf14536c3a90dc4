"""A pool of spawned worker processes: a bounded queue in front, the caller's deadline as the kill limit.

One pipe per worker, watched by the event loop: no polling, no threads, and a worker that is killed (at a deadline, by
the kernel, by hand) takes nothing with it but its own job; the others go on while it is replaced. Library pools share
one channel among workers, and losing an idle worker breaks them for every later job.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import signal
import time
from collections.abc import Coroutine
from multiprocessing.process import BaseProcess

import structlog

from server.errors import OutOfTime, Overloaded, WorkerLost
from server.execution.worker import Answer, Job, Ready, serve
from server.settings import ExecutionSettings
from server.telemetry.metrics import Metrics

_SPAWN = multiprocessing.get_context("spawn")  # never fork: grpc's threads do not survive it
_LARGE_REQUEST = 1 << 16
_RETRY_SECONDS = 1.0
_LEAVE_SECONDS = 1.0


class Worker:
    """One process and its pipe; answers come as futures."""

    def __init__(self, log_level: str) -> None:
        self._pipe, theirs = _SPAWN.Pipe()
        # Spawned from the main thread: the kernel's death signal follows the thread that made the child.
        self.process: BaseProcess = _SPAWN.Process(target=serve, args=(theirs, log_level), daemon=True)
        self.process.start()
        theirs.close()
        self._awaited: asyncio.Future[Ready | Answer] | None = None
        self._gone = False
        asyncio.get_running_loop().add_reader(self._pipe.fileno(), self._receive)

    def next_message(self) -> asyncio.Future[Ready | Answer]:
        """The worker's next message; raises WorkerLost if it dies first."""
        awaited: asyncio.Future[Ready | Answer] = asyncio.get_running_loop().create_future()
        self._awaited = awaited
        if self._gone:
            self._settle(None)
        return awaited

    async def send(self, job: Job) -> None:
        """Hand over a job."""
        try:
            if sum(map(len, job.attachments.values())) + len(job.request) > _LARGE_REQUEST:
                await asyncio.to_thread(self._pipe.send, job)
            else:
                self._pipe.send(job)
        except OSError as error:
            raise WorkerLost() from error

    def dismiss(self) -> None:
        """Close the pipe: an idle process ends by itself, and whoever waits for it is told."""
        with contextlib.suppress(ValueError, OSError):
            asyncio.get_running_loop().remove_reader(self._pipe.fileno())
        self._pipe.close()
        self._gone = True
        self._settle(None)

    def kill(self) -> None:
        """End the process and let go of it."""
        self.dismiss()
        if self.process.is_alive():
            self.process.kill()

    @property
    def alive(self) -> bool:
        return self.process.is_alive() and not self._gone

    def _receive(self) -> None:
        try:
            message: Ready | Answer | None = self._pipe.recv()
        except (EOFError, OSError):
            message = None
        if message is None:
            self._gone = True
            with contextlib.suppress(ValueError, OSError):
                asyncio.get_running_loop().remove_reader(self._pipe.fileno())
        self._settle(message)

    def _settle(self, message: Ready | Answer | None) -> None:
        awaited, self._awaited = self._awaited, None
        if awaited is None or awaited.done():
            return
        if message is None:
            awaited.set_exception(WorkerLost())
        else:
            awaited.set_result(message)


class WorkerPool:
    """Runs jobs on workers, first come first served."""

    def __init__(self, settings: ExecutionSettings, metrics: Metrics, log_level: str) -> None:
        self._settings, self.metrics, self._log_level = settings, metrics, log_level
        self._limit = settings.workers * settings.queue_per_worker
        self._idle: asyncio.Queue[Worker] = asyncio.Queue()
        self._workers: set[Worker] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._jobs = 0
        self._mean_seconds = 0.05
        self._closing = False
        self._log = structlog.stdlib.get_logger("server.pool")

    def start(self) -> None:
        """Start every worker; `ready` waits for them."""
        self.metrics.queue_depth.set_function(lambda: max(0, self._jobs - (len(self._workers) - self._idle.qsize())))
        self.metrics.workers.labels("idle").set_function(self._idle.qsize)
        self.metrics.workers.labels("all").set_function(lambda: len(self._workers))
        for cause in ("lost", "deadline"):
            self.metrics.worker_restarts.labels(cause)
        for _ in range(self._settings.workers):
            self._spawn()

    async def ready(self) -> None:
        """Wait for the first worker to be warm. Raises OutOfTime."""
        limit = self._settings.start_timeout_seconds
        try:
            async with asyncio.timeout(limit):
                self._idle.put_nowait(await self._idle.get())
        except TimeoutError as error:
            raise OutOfTime(limit) from error

    def process_ids(self) -> tuple[int, ...]:
        """The processes there are."""
        return tuple(worker.process.pid or 0 for worker in self._workers)

    async def run(self, job: Job, seconds: float) -> Answer:
        """The answer to a job within `seconds`, queueing included.

        Raises Overloaded at once when too many jobs wait, OutOfTime at the limit, WorkerLost if the process dies.
        """
        expected = self._jobs * self._mean_seconds / self._settings.workers
        if self._jobs >= self._limit or (self._jobs >= self._settings.workers and expected > seconds):
            self.metrics.rejected.labels("queue").inc()
            raise Overloaded("jobs waiting or running", self._jobs, min(max(expected, 0.1), 30.0))
        self._jobs += 1
        start = time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                worker = await self._take()
                self.metrics.queue_wait_seconds.observe(time.monotonic() - start)
                return await self._answer(worker, job)
        except TimeoutError as error:
            raise OutOfTime(seconds) from error
        finally:
            self._jobs -= 1

    async def close(self) -> None:
        """Let the workers go; kill those that are still busy."""
        self._closing = True
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for worker in self._workers:
            worker.dismiss()
        await asyncio.gather(*(asyncio.to_thread(w.process.join, _LEAVE_SECONDS) for w in self._workers))
        for worker in self._workers:
            worker.kill()
        self._workers.clear()

    async def _take(self) -> Worker:
        while True:
            worker = await self._idle.get()
            if worker.alive:
                return worker
            self._replace(worker, "lost")

    async def _answer(self, worker: Worker, job: Job) -> Answer:
        awaited = worker.next_message()
        try:
            await worker.send(job)
            answer = await asyncio.shield(awaited)
        except WorkerLost:
            self._replace(worker, "lost")
            raise
        except BaseException:  # out of time or cancelled: a job that is nearly done may finish, then the worker is free
            self._background(self._reclaim(worker, awaited))
            raise
        if not isinstance(answer, Answer):
            raise WorkerLost()
        self._idle.put_nowait(worker)
        self.metrics.job_seconds.labels(job.name).observe(answer.seconds)
        self._mean_seconds += 0.1 * (answer.seconds - self._mean_seconds)
        return answer

    async def _reclaim(self, worker: Worker, awaited: asyncio.Future[Ready | Answer]) -> None:
        try:
            async with asyncio.timeout(self._settings.kill_grace_seconds):
                await awaited
        except (TimeoutError, WorkerLost):
            self._replace(worker, "deadline")
        else:
            self._idle.put_nowait(worker)

    def _replace(self, worker: Worker, cause: str) -> None:
        self._workers.discard(worker)
        code = worker.process.exitcode
        worker.kill()
        if self._closing:
            return
        self.metrics.worker_restarts.labels(cause).inc()
        named = signal.Signals(-code).name if code is not None and code < 0 else code
        self._log.warning("worker replaced", cause=cause, exit=named, pid=worker.process.pid)
        self._spawn()

    def _spawn(self) -> None:
        worker = Worker(self._log_level)
        self._workers.add(worker)
        self._background(self._ready(worker))

    async def _ready(self, worker: Worker) -> None:
        try:
            message = await worker.next_message()
        except WorkerLost:
            await asyncio.sleep(_RETRY_SECONDS)  # a worker that cannot start must not be restarted in a tight loop
            self._replace(worker, "lost")
            return
        if isinstance(message, Ready):
            if message.fault:
                self._log.error("worker could not be warmed", fault=message.fault)
            self._log.info("worker ready", seconds=round(message.seconds, 3), pid=worker.process.pid)
        self._idle.put_nowait(worker)

    def _background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
