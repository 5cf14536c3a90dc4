"""Health, reflection, deadlines, and how a server starts and stops."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from apportion.v1 import hardware_service_pb2, laws_service_pb2, planning_service_pb2
from server.storage.schema import HEAD

SERVICES = [
    "",
    "apportion.v1.Laws",
    "apportion.v1.Hardware",
    "apportion.v1.Planning",
    "apportion.v1.Sensitivity",
    "google.longrunning.Operations",
]
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_reports_serving(server: Any, service: str) -> None:
    answer = server.health.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_a_service_that_is_not_there_has_no_health(server: Any, refused: Any) -> None:
    error = refused(server.health.Check, health_pb2.HealthCheckRequest(service="apportion.v1.Weather"))
    assert error.code == grpc.StatusCode.NOT_FOUND


def test_reflection_lists_the_services(server: Any) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(server.channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    answer = next(iter(stub.ServerReflectionInfo(iter([request]), timeout=5)))
    names = {service.name for service in answer.list_services_response.service}
    assert names >= set(SERVICES[1:])


def test_the_announcement_names_the_process_and_its_ports(server: Any) -> None:
    found = json.loads(server.announcement.read_text())
    assert found["pid"] == server.process.pid
    assert found["listen"].startswith("127.0.0.1:")
    assert not found["listen"].endswith(":0")
    assert "apportion_build_info" in server.metrics_text()


def test_each_call_is_one_line_of_log_under_the_callers_request_id(server: Any) -> None:
    request = hardware_service_pb2.GetAcceleratorRequest(name="H100")
    _, call = server.hardware.GetAccelerator.with_call(request, metadata=(("x-request-id", "mine-7"),))
    assert dict(call.trailing_metadata())["x-request-id"] == "mine-7"
    lines = [json.loads(line) for line in server.log_path.read_text().splitlines() if "mine-7" in line]
    assert len(lines) == 1
    assert lines[0]["method"] == "/apportion.v1.Hardware/GetAccelerator"
    assert lines[0]["code"] == "OK"
    assert lines[0]["seconds"] >= 0


def test_a_request_that_is_too_large_is_refused_without_harm(server: Any, refused: Any, table: Any) -> None:
    big = laws_service_pb2.ImportRunsRequest(table=table(N=[1.0] * 3_000_000))
    assert refused(server.laws.ImportRuns, big).code == grpc.StatusCode.RESOURCE_EXHAUSTED
    many = laws_service_pb2.ImportRunsRequest(table=table(N=[1.0] * 1_000_001))
    error = refused(server.laws.ImportRuns, many)
    assert (error.code, error.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["table.columns"])


def test_the_callers_deadline_is_kept_while_all_workers_are_busy(server: Any, runs: Any) -> None:
    run_set = server.laws.ImportRuns(laws_service_pb2.ImportRunsRequest(table=runs)).name
    fit = laws_service_pb2.FitLawRequest(run_set=run_set, form="chinchilla", bootstrap_draw_count=100_000)
    operation = server.laws.FitLaw(fit)
    # Fits leave one worker to plans, so this one answers.
    assert server.planning.PlanTraining(planning_service_pb2.PlanTrainingRequest(training_flops=8e22), timeout=10).name
    start = time.monotonic()
    with pytest.raises(grpc.RpcError) as caught:
        server.planning.PlanTraining(planning_service_pb2.PlanTrainingRequest(training_flops=9e22), timeout=0.001)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - start < 0.2
    from google.longrunning import operations_pb2

    server.operations.CancelOperation(operations_pb2.CancelOperationRequest(name=operation.name))


def test_a_stop_lets_calls_in_flight_end_and_turns_health_first(start_server: Any) -> None:
    server = start_server("--workers", "1")
    plans: list[Any] = []
    flops = [1e20 * 1.1**i for i in range(40)]

    def ask() -> None:
        calls = [
            server.planning.PlanTraining.future(planning_service_pb2.PlanTrainingRequest(training_flops=f), timeout=30)
            for f in flops[:6]
        ]
        plans.extend(call.result() for call in calls)

    caller = threading.Thread(target=ask)
    caller.start()
    time.sleep(0.05)
    assert server.stop() == 0
    caller.join(30)
    assert len(plans) == 6
    assert not server.announcement.exists()


def run_command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    path = os.pathsep.join([str(ROOT), str(ROOT / "clients")])
    return subprocess.run(
        [sys.executable, "-m", "server", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_port_that_is_taken_is_one_clear_line(server: Any, tmp_path: Path) -> None:
    found = run_command(
        "serve", "--listen", server.address["listen"], "--metrics-listen", "", "--store", str(tmp_path / "a.db")
    )
    assert found.returncode == 1
    assert f"cannot listen on {server.address['listen']}" in found.stderr


def test_check_prints_the_configuration_and_masks_the_password() -> None:
    found = run_command("check", "--store", "postgresql+psycopg://planner:hunter2@db/apportion", APPORTION_WORKERS="3")
    assert found.returncode == 0
    settings = json.loads(found.stdout)
    assert settings["workers"] == 3
    assert settings["store"] == "postgresql+psycopg://planner:***@db/apportion"
    assert "hunter2" not in found.stdout


def test_check_fails_on_what_cannot_be_used() -> None:
    found = run_command("check", "--workers", "0", APPORTION_MAX_CONCURENT_CALLS="5")
    assert found.returncode == 2
    assert "workers = '0'" in found.stderr
    assert "did you mean APPORTION_MAX_CONCURRENT_CALLS" in found.stderr
    open_wide = run_command("check", "--listen", "0.0.0.0:50051")
    assert open_wide.returncode == 2
    assert "--insecure" in open_wide.stderr
    assert run_command("check", "--listen", "0.0.0.0:50051", "--insecure").returncode == 0
    assert run_command("check", "--listen", "somewhere").returncode == 2


def test_migrate_makes_a_store_once(tmp_path: Path) -> None:
    store = tmp_path / "new" / "apportion.db"
    assert f"schema none -> {HEAD}" in run_command("migrate", "--store", str(store)).stdout
    assert f"schema {HEAD} -> {HEAD}" in run_command("migrate", "--store", str(store)).stdout


def test_servers_that_start_at_once_on_an_empty_store_all_find_it_migrated(tmp_path: Path) -> None:
    store = str(tmp_path / "shared.db")
    with ThreadPoolExecutor(4) as starts:
        found = list(starts.map(lambda _: run_command("migrate", "--store", store), range(4)))
    assert [(f.returncode, f.stderr) for f in found] == [(0, "")] * 4
    assert all(f"-> {HEAD}" in f.stdout for f in found)


def test_a_file_that_is_no_store_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("these are not the bytes of a database " * 100)
    found = run_command(
        "serve", "--listen", "127.0.0.1:0", "--metrics-listen", "", "--store", str(tmp_path / "notes.txt")
    )
    assert found.returncode == 1
    assert "cannot serve: the store" in found.stderr
    assert "Traceback" not in found.stderr
