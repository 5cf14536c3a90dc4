"""The life of the process: what it announces, what ends it.

An embedded server is started by a program that must learn its port and must not leave it behind: the announcement is a
file that appears whole, and with `--exit-with-parent` the kernel sends SIGTERM when the starting program dies.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from server.execution.pool import WorkerPool
from server.execution.worker import die_with_parent
from server.settings import Settings
from server.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from server.application import Addresses, Application

_WATCH_SECONDS = 1.0


async def run(settings: Settings, announce_file: Path | None, exit_with_parent: bool) -> None:
    """Serve until SIGTERM, SIGINT or, if asked for, the end of the parent.

    Raises OSError (a port is taken), CannotServe (the store's schema), OutOfTime (no worker gets ready).
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    watcher = None
    if exit_with_parent:
        die_with_parent(signal.SIGTERM)
        watcher = loop.create_task(_watch_parent(os.getppid(), stop))
    pool = WorkerPool(settings.execution, Metrics(), settings.log.log_level)
    pool.start()
    from server.application import Application  # late: the workers load their solvers meanwhile

    application = Application(settings, pool)
    addresses = await _start_unless_stopped(application, stop)
    if addresses is None:
        return
    if announce_file:
        announce(announce_file, addresses)
    try:
        await stop.wait()
    finally:
        if watcher:
            watcher.cancel()
        await application.stop()
        if announce_file:
            announce_file.unlink(missing_ok=True)


def announce(path: Path, addresses: Addresses) -> None:
    """Write where the server listens, so that a reader finds the whole of it or nothing."""
    content = {"listen": addresses.listen, "metrics_listen": addresses.metrics_listen, "pid": os.getpid()}
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(content), "utf-8")
    partial.replace(path)


async def _start_unless_stopped(application: Application, stop: asyncio.Event) -> Addresses | None:
    start = asyncio.ensure_future(application.start())
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait({start, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if start.done():
        return start.result()
    start.cancel()
    await asyncio.gather(start, return_exceptions=True)
    return None


async def _watch_parent(parent: int, stop: asyncio.Event) -> None:
    while os.getppid() == parent:
        await asyncio.sleep(_WATCH_SECONDS)
    stop.set()
