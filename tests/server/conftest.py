"""A real server process on loopback with a real store, and its stubs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from google.longrunning import operations_grpc_pb2
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2_grpc
from grpc_status import rpc_status
from prometheus_client.parser import text_string_to_metric_families

from apportion.v1 import hardware_service_pb2_grpc, laws_service_pb2_grpc, planning_service_pb2_grpc, table_pb2

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0


class ServerProcess:
    """One `python -m server serve` with its channel and stubs."""

    def __init__(self, folder: Path, environment: Mapping[str, str], *flags: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.announcement = folder / "address.json"
        self.announcement.unlink(missing_ok=True)
        self.log_path = folder / "server.log"
        self.store = folder / "state" / "apportion.db"
        command = [
            sys.executable,
            "-m",
            "server",
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--metrics-listen",
            "127.0.0.1:0",
        ]
        command += ["--store", str(self.store), "--announce-file", str(self.announcement), "--exit-with-parent", *flags]
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("APPORTION_")}
        path = os.pathsep.join([str(ROOT), str(ROOT / "clients")])
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=ROOT, env={**inherited, "PYTHONPATH": path, **environment}
            )
        self._wait()
        self.channel = grpc.insecure_channel(self.address["listen"])
        self.laws = laws_service_pb2_grpc.LawsStub(self.channel)
        self.hardware = hardware_service_pb2_grpc.HardwareStub(self.channel)
        self.planning = planning_service_pb2_grpc.PlanningStub(self.channel)
        self.operations = operations_grpc_pb2.OperationsStub(self.channel)
        self.health = health_pb2_grpc.HealthStub(self.channel)

    def _wait(self) -> None:
        end = time.monotonic() + START_SECONDS
        while not self.announcement.exists():
            assert self.process.poll() is None, self.log_path.read_text()
            assert time.monotonic() < end, self.log_path.read_text()
            time.sleep(0.02)
        self.address: dict[str, Any] = json.loads(self.announcement.read_text())

    def metrics_text(self) -> str:
        with urllib.request.urlopen(f"http://{self.address['metrics_listen']}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of that name whose labels agree."""
        families = text_string_to_metric_families(self.metrics_text())
        samples = [s for family in families for s in family.samples if s.name == name]
        return sum(s.value for s in samples if labels.items() <= s.labels.items())

    def workers(self) -> list[int]:
        """Process ids of the workers."""
        children = subprocess.run(
            ["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=False
        )
        return [int(line.split()[0]) for line in children.stdout.splitlines() if "spawn_main" in line]

    def kill(self) -> None:
        """SIGKILL: nothing is written, nothing is closed."""
        self.process.kill()
        self.process.wait(30)
        self.channel.close()

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        self.channel.close()
        return code


StartServer = Callable[..., ServerProcess]


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Starts servers that share one folder and store; all are stopped at the end."""
    started: list[ServerProcess] = []

    def start(*flags: str, **environment: str) -> ServerProcess:
        started.append(ServerProcess(tmp_path, environment, *flags))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all tests that do not break it."""
    process = ServerProcess(tmp_path_factory.mktemp("server"), {}, "--workers", "2")
    yield process
    process.stop()


@pytest.fixture(scope="session")
def table() -> Callable[..., table_pb2.Table]:
    """Builds a table: `table(N=[1.0, 2.0], name=["a", "b"])`; None is a blank cell."""

    def build(**columns: list[Any]) -> table_pb2.Table:
        message = table_pb2.Table()
        for name, cells in columns.items():
            column = message.columns.add(name=name)
            if any(isinstance(cell, str) for cell in cells):
                column.texts.values.extend(cell or "" for cell in cells)
            else:
                column.numbers.values.extend(0.0 if cell is None else cell for cell in cells)
                column.numbers.blank_rows.extend(i for i, cell in enumerate(cells) if cell is None)
        return message

    return build


@pytest.fixture(scope="session")
def runs(table: Callable[..., table_pb2.Table]) -> table_pb2.Table:
    """Sixty runs that follow L = 1.8 + 480 N^-0.35 + 2100 D^-0.37 with a scatter of about 0.5 %."""
    rows = []
    for i, parameters in enumerate((3e7, 1e8, 3e8, 1e9, 3e9, 1e10)):
        for j, per_parameter in enumerate((1, 3, 5, 10, 20, 40, 80, 150, 300, 500)):
            tokens = parameters * per_parameter
            scatter = 1.0 + 0.005 * (((7 * i + 3 * j) % 11) / 5.0 - 1.0)
            rows.append((parameters, tokens, (1.8 + 480 * parameters**-0.35 + 2100 * tokens**-0.37) * scatter))
    n, d, loss = (list(column) for column in zip(*rows, strict=True))
    return table(N=n, D=d, loss=loss, recipe=["a" if i % 2 else "b" for i in range(len(n))])


@pytest.fixture(scope="session")
def refused() -> Callable[..., SimpleNamespace]:
    """Makes a call that must fail; returns its code, reason, fields, metadata, retry delay and text."""

    def make(call: Callable[..., Any], request: Any, timeout: float = 20.0) -> SimpleNamespace:
        with pytest.raises(grpc.RpcError) as caught:
            call(request, timeout=timeout)
        error: Any = caught.value
        found = SimpleNamespace(
            code=error.code(), text=error.details(), reason="", domain="", metadata={}, fields=[], retry=None
        )
        status = rpc_status.from_call(error)
        for detail in status.details if status else ():
            info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
            retry = error_details_pb2.RetryInfo()
            if detail.Unpack(info):
                found.reason, found.domain, found.metadata = info.reason, info.domain, dict(info.metadata)
            elif detail.Unpack(bad):
                found.fields = [violation.field for violation in bad.field_violations]
            elif detail.Unpack(retry):
                found.retry = retry.retry_delay.ToNanoseconds() / 1e9
        return found

    return make
