"""A server of one's own: started as a process when no endpoint is named, stopped when the client closes.

The process listens on a free loopback port, writes where into a file that only we know, and ends with us even
if we are killed. Needs the distribution `apportion-server` (extra `server`); this package imports none of it.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from apportion.errors import Unavailable

START_SECONDS = 60.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.02
STORE_VARIABLE = "APPORTION_STORE"
_SHOWN_LINES = 6


class EmbeddedServer:
    """A server process; `wait` blocks until it serves, `poll` asks once, `stop` ends it."""

    def __init__(self, store: str | os.PathLike[str] | None = None, workers: int = 1) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="apportion-"))
        self._announcement = self._folder / "address.json"
        self.log_path = self._folder / "server.log"
        self.endpoint = self.metrics_endpoint = ""
        self._give_up = time.monotonic() + START_SECONDS
        # -P: a folder called `server` in the caller's working directory must not stand in for ours.
        command = [sys.executable, "-P", "-m", "server", "serve"]
        command += ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]
        command += ["--announce-file", str(self._announcement), "--exit-with-parent", "--workers", str(workers)]
        if store is not None:
            command += ["--store", os.fspath(store)]
        environment = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", **os.environ}
        self._process = self._start(command, environment)

    def _start(self, command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
        """Start the process from a thread that lives as long as it does.

        The kernel ends a child "with its parent" when the starting *thread* ends, and the thread that happens to
        make the first call may be a short-lived one.
        """
        started: queue.SimpleQueue[subprocess.Popen[bytes] | OSError] = queue.SimpleQueue()

        def keep() -> None:
            try:
                with self.log_path.open("wb") as log:
                    process = subprocess.Popen(
                        command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment
                    )
            except OSError as error:
                started.put(error)
                return
            started.put(process)
            process.wait()

        threading.Thread(target=keep, name="apportion-server", daemon=True).start()
        found = started.get()
        if isinstance(found, OSError):
            shutil.rmtree(self._folder, ignore_errors=True)
            raise Unavailable(f"the embedded server cannot be started: {found}")
        return found

    @property
    def process_id(self) -> int:
        return self._process.pid

    def poll(self) -> bool:
        """Does it serve yet? Raises Unavailable when it never will."""
        if self.endpoint:
            return True
        if self._announcement.exists() and (text := self._announcement.read_text()).strip():
            where = json.loads(text)
            self.endpoint, self.metrics_endpoint = where["listen"], where.get("metrics_listen", "")
            return True
        ended = self._process.poll()
        if ended is None and time.monotonic() < self._give_up:
            return False
        why = f"ended with status {ended}" if ended is not None else f"did not serve within {START_SECONDS:g} s"
        log = self.log_path.read_text(errors="replace")
        self.stop()
        if "No module named server" in log:
            raise Unavailable(
                "endpoint = none: there is no server to start here; pip install 'apportion[server]', "
                "or name a running one by --endpoint or APPORTION_ENDPOINT"
            )
        last = " | ".join(log.strip().splitlines()[-_SHOWN_LINES:])
        raise Unavailable(f"the embedded server {why}: {last}", metadata={"log": last})

    def wait(self) -> None:
        """Block until it serves. Raises Unavailable when it never will."""
        while not self.poll():
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """End the process, politely at first, and remove its files. Twice is as good as once."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
