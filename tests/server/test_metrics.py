"""/metrics is an interface: it parses, promtool accepts it, its labels cannot be invented by callers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families

from apportion.v1 import laws_service_pb2, planning_service_pb2

DEPLOY = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"
EXPECTED = {
    "grpc_server_started",
    "grpc_server_handled",
    "grpc_server_handling_seconds",
    "apportion_build_info",
    "apportion_calls_in_flight",
    "apportion_rejected",
    "apportion_solve_seconds",
    "apportion_solves",
    "apportion_convex_programs",
    "apportion_cells",
    "apportion_certificate_failures",
    "apportion_duality_gap_ratio",
    "apportion_extrapolation_ratio",
    "apportion_infeasible",
    "apportion_plan_cache_hits",
    "apportion_plan_cache_misses",
    "apportion_queue_depth",
    "apportion_queue_wait_seconds",
    "apportion_job_seconds",
    "apportion_workers",
    "apportion_worker_restarts",
    "apportion_operations",
    "apportion_operations_ended",
    "apportion_store_seconds",
    "apportion_store_errors",
}


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if not found:
        pytest.skip("promtool is not installed (Debian has it in the package prometheus)")
    return found


def test_everything_promised_is_there_and_parses(server: Any) -> None:
    server.planning.PlanTraining(planning_service_pb2.PlanTrainingRequest(training_flops=7.7e22))
    families = {family.name for family in text_string_to_metric_families(server.metrics_text())}
    assert families >= EXPECTED
    assert server.metric("apportion_duality_gap_ratio_count", kind="training") >= 1
    assert server.metric("apportion_build_info", version="0.1.0") == 1
    assert server.metric("apportion_workers", state="all") == 2


def test_calls_are_counted_by_method_and_code(server: Any, refused: Any) -> None:
    method = {"grpc_service": "apportion.v1.Laws", "grpc_method": "GetLaw", "grpc_type": "unary"}
    ok = server.metric("grpc_server_handled_total", **method, grpc_code="OK")
    missing = server.metric("grpc_server_handled_total", **method, grpc_code="NOT_FOUND")
    server.laws.GetLaw(laws_service_pb2.GetLawRequest(name="kaplan-2020"))
    refused(server.laws.GetLaw, laws_service_pb2.GetLawRequest(name="nothing-here"))
    assert server.metric("grpc_server_handled_total", **method, grpc_code="OK") == ok + 1
    assert server.metric("grpc_server_handled_total", **method, grpc_code="NOT_FOUND") == missing + 1


def test_made_up_methods_are_one_label(server: Any) -> None:
    before = server.metric("grpc_server_handled_total", grpc_method="unknown")
    for name in ("/evil/one", "/evil/two", "/apportion.v1.Laws/DropTables"):
        call = server.channel.unary_unary(name, request_serializer=bytes, response_deserializer=bytes)
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", timeout=5)
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert server.metric("grpc_server_handled_total", grpc_method="unknown") == before + 3
    assert "evil" not in server.metrics_text()
    assert "DropTables" not in server.metrics_text()


def test_promtool_accepts_the_live_endpoint(server: Any, promtool: str) -> None:
    text = server.metrics_text()
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    "arguments",
    [("check", "config", "prometheus.yml"), ("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")],
)
def test_promtool_accepts_the_shipped_configuration(promtool: str, arguments: tuple[str, ...]) -> None:
    checked = subprocess.run([promtool, *arguments], cwd=DEPLOY, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_alerts_ask_for_metrics_that_exist(server: Any) -> None:
    import re

    asked = set(re.findall(r"\b(?:apportion|grpc_server)_[a-z_]+", (DEPLOY / "alerts.yml").read_text()))
    exposed = {family.name for family in text_string_to_metric_families(server.metrics_text())}
    assert {name.removesuffix("_total") for name in asked} <= exposed
