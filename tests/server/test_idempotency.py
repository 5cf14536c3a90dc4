"""One request id, one effect: repeats get the first answer, another body under the same id is refused."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from apportion.v1 import laws_service_pb2, planning_service_pb2

Import = laws_service_pb2.ImportRunsRequest


def test_a_repeated_import_returns_the_first_answer_and_stores_nothing_more(server: Any, table: Any) -> None:
    request = Import(table=table(N=[1.0, 2.0]), request_id=str(uuid.uuid4()))
    first = server.laws.ImportRuns(request)
    stored = server.laws.ListRunSets(laws_service_pb2.ListRunSetsRequest(page_size=1000))
    assert server.laws.ImportRuns(request) == first
    assert server.laws.ListRunSets(laws_service_pb2.ListRunSetsRequest(page_size=1000)) == stored


def test_another_body_under_the_same_id_is_refused(server: Any, refused: Any, table: Any) -> None:
    identity = str(uuid.uuid4())
    server.laws.ImportRuns(Import(table=table(N=[1.0, 2.0]), request_id=identity))
    error = refused(server.laws.ImportRuns, Import(table=table(N=[1.0, 3.0]), request_id=identity))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")
    assert error.fields == ["request_id"]
    plan = planning_service_pb2.PlanTrainingRequest(training_flops=1e22, request_id=identity)
    assert refused(server.planning.PlanTraining, plan).reason == "REQUEST_ID_REUSED"


def test_racing_repeats_store_one_plan(server: Any) -> None:
    request = planning_service_pb2.PlanTrainingRequest(training_flops=3.3e22, request_id=str(uuid.uuid4()))
    with ThreadPoolExecutor(8) as callers:
        plans = list(callers.map(server.planning.PlanTraining, [request] * 8))
    assert len({plan.name for plan in plans}) == 1
    assert len({plan.SerializeToString(deterministic=True) for plan in plans}) == 1


@pytest.mark.parametrize("identity", ["chosen-by-me", "a", "z9-"])
def test_an_id_that_is_taken_is_refused(server: Any, refused: Any, table: Any, identity: str) -> None:
    server.laws.ImportRuns(Import(table=table(N=[1.0, 2.0]), run_set_id=identity))
    error = refused(server.laws.ImportRuns, Import(table=table(N=[1.0, 2.0]), run_set_id=identity))
    assert (error.code, error.reason) == (grpc.StatusCode.ALREADY_EXISTS, "RESOURCE_EXISTS")


@pytest.mark.parametrize("identity", ["Upper", "9first", "-", "with space", "ü", "a" * 63, "a/b", "../up"])
def test_an_id_that_is_no_word_is_refused(server: Any, refused: Any, table: Any, identity: str) -> None:
    error = refused(server.laws.ImportRuns, Import(table=table(N=[1.0, 2.0]), run_set_id=identity))
    assert (error.code, error.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["run_set_id"])


def test_checking_stores_nothing_but_makes_the_same_checks(server: Any, refused: Any, table: Any) -> None:
    stored = server.laws.ListRunSets(laws_service_pb2.ListRunSetsRequest(page_size=1000))
    checked = server.laws.ImportRuns(Import(table=table(N=[1.0, 2.0]), run_set_id="checked", validate_only=True))
    assert checked.row_count == 2
    assert server.laws.ListRunSets(laws_service_pb2.ListRunSetsRequest(page_size=1000)) == stored
    error = refused(server.laws.ImportRuns, Import(table=table(N=[1.0]), validate_only=True))
    assert error.code == grpc.StatusCode.INVALID_ARGUMENT
