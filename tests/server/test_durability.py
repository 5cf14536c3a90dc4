"""What was acknowledged survives the server; what was under way ends."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from typing import Any

import pytest
from google.longrunning import operations_pb2

from apportion.v1 import law_pb2, laws_service_pb2, planning_service_pb2


def test_acknowledged_results_survive_sigkill_and_operations_end(start_server: Any, runs: Any, refused: Any) -> None:
    first = start_server("--workers", "1")
    imported = first.laws.ImportRuns(laws_service_pb2.ImportRunsRequest(table=runs, run_set_id="kept"))
    plan = first.planning.PlanTraining(planning_service_pb2.PlanTrainingRequest(training_flops=1e22))
    fit = laws_service_pb2.FitLawRequest(
        run_set="kept", form="chinchilla", law_id="survivor", bootstrap_draw_count=4000
    )
    running = first.laws.FitLaw(fit)
    given_up = first.laws.FitLaw(laws_service_pb2.FitLawRequest(run_set="kept", form="chinchilla", law_id="given-up"))
    workers = first.workers()
    first.kill()
    _wait_until_gone(workers)
    with sqlite3.connect(first.store) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        identity = given_up.name.removeprefix("operations/")
        store.execute("UPDATE operations SET attempts = 2 WHERE id = ?", (identity,))

    second = start_server("--workers", "1")
    assert second.laws.GetRunSet(laws_service_pb2.GetRunSetRequest(name="runSets/kept")) == imported
    assert second.planning.GetPlan(planning_service_pb2.GetPlanRequest(name=plan.name)) == plan
    done = second.operations.WaitOperation(operations_pb2.WaitOperationRequest(name=running.name), timeout=60)
    law = law_pb2.Law()
    assert done.response.Unpack(law), done.error
    assert second.laws.GetLaw(laws_service_pb2.GetLawRequest(name="laws/survivor")) == law
    failed = second.operations.WaitOperation(operations_pb2.WaitOperationRequest(name=given_up.name), timeout=60)
    assert failed.done
    assert "start it again" in failed.error.message
    assert second.stop() == 0


def test_a_stopped_server_leaves_its_operations_to_the_next_one(start_server: Any, runs: Any) -> None:
    first = start_server("--workers", "1", "--drain-seconds", "0.2")
    first.laws.ImportRuns(laws_service_pb2.ImportRunsRequest(table=runs, run_set_id="kept"))
    request = laws_service_pb2.FitLawRequest(run_set="kept", form="chinchilla", bootstrap_draw_count=3000)
    operation = first.laws.FitLaw(request)
    assert first.stop() == 0
    second = start_server("--workers", "1")
    done = second.operations.WaitOperation(operations_pb2.WaitOperationRequest(name=operation.name), timeout=60)
    assert done.HasField("response"), done.error


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_ends_with_the_process_that_started_it(tmp_path: Any, how: int) -> None:
    announcement = tmp_path / "address.json"
    script = (
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-m', 'server', 'serve', '--listen', '127.0.0.1:0', '--metrics-listen', '',"
        f" '--store', {str(tmp_path / 'a.db')!r}, '--announce-file', {str(announcement)!r}, '--exit-with-parent'])\n"
        "time.sleep(60)\n"
    )
    from pathlib import Path

    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'clients'}"}
    import sys

    parent = subprocess.Popen([sys.executable, "-c", script], env=environment, cwd=root, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not announcement.exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    import json

    pid = json.loads(announcement.read_text())["pid"]
    os.kill(parent.pid, how)
    parent.wait(10)
    _wait_until_gone([pid])
    assert not announcement.exists(), "it stopped gracefully"


def _wait_until_gone(pids: list[int], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while any(_runs(pid) for pid in pids):
        assert time.monotonic() < end, f"still there: {pids}"
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
