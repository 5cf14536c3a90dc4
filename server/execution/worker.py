"""The worker's side: a process that answers jobs from a pipe until the pipe closes.

It dies with its parent (Linux: a signal; anywhere: the pipe's end), ignores the terminal's interrupt (the parent
decides), and reports ready only after one real plan, so that the first caller does not pay for imports and compilation.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from server.telemetry import logs


@dataclass(frozen=True)
class Job:
    """What to do: a function of `execution.jobs`, its serialised request, and what the request names."""

    name: str
    request: bytes
    attachments: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What came of it: parts of the answer, or a serialised google.rpc.Status; with the time it took."""

    parts: tuple[bytes, ...] = ()
    status: bytes = b""
    seconds: float = 0.0


@dataclass(frozen=True)
class Ready:
    """The worker's first message: it is warm, or could not be warmed."""

    seconds: float
    fault: str = ""


def serve(connection: Connection, log_level: str) -> None:
    """The worker's main function."""
    logs.configure(log_level)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    start = time.perf_counter()
    from server.execution import jobs  # late: imports the planner and with it the solvers

    fault = jobs.warm()
    with contextlib.suppress(EOFError, OSError):
        connection.send(Ready(time.perf_counter() - start, fault))
        while True:
            job: Job = connection.recv()
            start = time.perf_counter()
            parts, status = jobs.run(job.name, job.request, job.attachments)
            connection.send(Answer(parts, status, time.perf_counter() - start))


def die_with_parent(signal_number: int = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal when its parent dies (Linux only; elsewhere nothing)."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    pr_set_pdeathsig = 1
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, int(signal_number), 0, 0, 0)
    if os.getppid() != parent:  # it died in between
        os.kill(os.getpid(), signal_number)
