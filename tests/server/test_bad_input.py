"""Bad input is refused with the field's name, all faults at once, and nothing is stored."""

from __future__ import annotations

import math
from typing import Any

import grpc
import pytest
from google.longrunning import operations_pb2

from apportion.v1 import (
    hardware_service_pb2,
    laws_service_pb2,
    planning_service_pb2,
    table_pb2,
)

INVALID = grpc.StatusCode.INVALID_ARGUMENT
Training = planning_service_pb2.PlanTrainingRequest
Lifecycle = planning_service_pb2.PlanLifecycleRequest
Deployment = planning_service_pb2.PlanDeploymentRequest
Front = planning_service_pb2.ComputeFrontRequest
WORKLOAD = planning_service_pb2.Workload(requests_per_second=5, input_token_count=1024, output_token_count=1024)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (Training(), "limits"),
        (Training(budget_usd=math.nan), "budget_usd"),
        (Training(budget_usd=-1.0), "budget_usd"),
        (Training(training_flops=1e200), "training_flops"),
        (Training(training_flops=math.inf), "training_flops"),
        (Training(deadline_hours=0.0), "deadline_hours"),
        (Training(max_loss=-2.0), "max_loss"),
        (Training(limits={"training_usd": -5.0}), "limits[training_usd]"),
        (Training(limits={"happiness": 5.0}), "limits"),
        (Training(budget_usd=1e6, limits={"training_usd": 2e6}), "budget_usd"),
        (Training(training_flops=1e22, minimize="happiness"), "minimize"),
        (Training(training_flops=1e22, unique_token_count=-1), "unique_token_count"),
        (Training(training_flops=1e22, alternative_count=-1), "alternative_count"),
        (Training(training_flops=1e22, expert_counts=[0]), "expert_counts"),
        (Training(training_flops=1e22, plan_id="Not an id"), "plan_id"),
        (Training(training_flops=1e22, request_id="seven"), "request_id"),
        (
            Training(budget_usd=1e6, hardware=planning_service_pb2.HardwareChoice(price_usd_per_hour={"H100": -3.0})),
            "hardware.price_usd_per_hour[H100]",
        ),
        (
            Training(budget_usd=1e6, hardware=planning_service_pb2.HardwareChoice(max_accelerator_count=0)),
            "hardware.max_accelerator_count",
        ),
    ],
)
def test_a_training_request_is_refused_by_the_field_the_caller_wrote(
    server: Any, refused: Any, request_: Training, field: str
) -> None:
    error = refused(server.planning.PlanTraining, request_)
    assert (error.code, error.fields) == (INVALID, [field])
    assert error.domain == "apportion.dev"
    assert field in error.text


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (Lifecycle(inference_token_count=1e12), "limits"),
        (Lifecycle(inference_token_count=math.nan, lifetime_flops=1e23), "inference_token_count"),
        (Lifecycle(inference_token_count=1e12, budget_usd=-1.0), "budget_usd"),
        (Lifecycle(inference_token_count=1e12, lifetime_flops=1e200), "lifetime_flops"),
        (
            Lifecycle(
                inference_token_count=1e12,
                budget_usd=1e7,
                workload=planning_service_pb2.Workload(
                    requests_per_second=-5, input_token_count=1024, output_token_count=1024
                ),
            ),
            "workload.requests_per_second",
        ),
    ],
)
def test_a_lifecycle_request_is_refused_by_the_field_the_caller_wrote(
    server: Any, refused: Any, request_: Lifecycle, field: str
) -> None:
    error = refused(server.planning.PlanLifecycle, request_)
    assert (error.code, error.fields) == (INVALID, [field])


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (Deployment(model="Llama-3.1-70B"), "workload"),
        (Deployment(workload=WORKLOAD), "model"),
        (Deployment(workload=WORKLOAD, parameter_count=math.nan), "parameter_count"),
        (Deployment(workload=WORKLOAD, model="Llama-3.1-70B", limits={"ttft_seconds": -1.0}), "limits[ttft_seconds]"),
    ],
)
def test_a_deployment_request_is_refused_by_the_field_the_caller_wrote(
    server: Any, refused: Any, request_: Deployment, field: str
) -> None:
    error = refused(server.planning.PlanDeployment, request_)
    assert (error.code, error.fields) == (INVALID, [field])


def test_all_violations_are_named_at_once(server: Any, refused: Any) -> None:
    request = Training(training_flops=math.nan, deadline_hours=-1.0, unique_token_count=-1.0)
    error = refused(server.planning.PlanTraining, request)
    assert sorted(error.fields) == ["deadline_hours", "training_flops", "unique_token_count"]


def test_a_front_that_cannot_be_asked_for_is_refused_before_it_becomes_an_operation(server: Any, refused: Any) -> None:
    before = len(server.operations.ListOperations(operations_pb2.ListOperationsRequest()).operations)
    problem = Lifecycle(inference_token_count=1e12, budget_usd=1e7)
    one = refused(server.planning.ComputeFront, Front(problem=problem, objectives=["loss"]))
    assert (one.code, one.fields) == (INVALID, ["objectives"])
    broken = Lifecycle(inference_token_count=1e12, budget_usd=-1.0)
    inner = refused(server.planning.ComputeFront, Front(problem=broken, objectives=["loss", "lifetime_usd"]))
    assert inner.fields == ["problem.budget_usd"]
    assert len(server.operations.ListOperations(operations_pb2.ListOperationsRequest()).operations) == before


def test_an_unknown_law_is_not_found_and_the_nearest_are_named(server: Any, refused: Any) -> None:
    error = refused(server.planning.PlanTraining, Training(training_flops=1e22, law="laws/besirogu-2024"))
    assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_NAME")
    assert "besiroglu-2024" in error.metadata["suggestions"]


def test_an_unknown_accelerator_is_not_found(server: Any, refused: Any) -> None:
    error = refused(
        server.hardware.GetAccelerator, hardware_service_pb2.GetAcceleratorRequest(name="accelerators/H100-SMX")
    )
    assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_NAME")
    assert "H100-SXM" in error.metadata["suggestions"]


def numbers(*values: float, name: str = "N", blank_rows: tuple[int, ...] = ()) -> table_pb2.Column:
    return table_pb2.Column(name=name, numbers=table_pb2.NumberCells(values=values, blank_rows=blank_rows))


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ([], "none: at least one column"),
        ([numbers()], "0 rows: at least 2"),
        ([numbers(1.0)], "1 rows: at least 2"),
        ([numbers(1.0, 2.0), numbers(1.0, 2.0)], "no two columns of one name"),
        ([numbers(1.0, 2.0), numbers(1.0, name="D")], "as many cells in each"),
        ([numbers(1.0, 2.0, name="  ")], "1 to 200 characters"),
        ([numbers(1.0, 2.0, blank_rows=(5,))], "5 to 5: 0 to 1"),
        ([numbers(0.0, 0.0, blank_rows=(0, 1))], "at least one number"),
        ([table_pb2.Column(name="a", texts=table_pb2.TextCells(values=["x", "y"]))], "at least one column of numbers"),
    ],
)
def test_a_table_that_cannot_hold_runs_is_refused_and_not_stored(
    server: Any, refused: Any, columns: list[table_pb2.Column], fault: str
) -> None:
    before = server.laws.ListRunSets(laws_service_pb2.ListRunSetsRequest())
    request = laws_service_pb2.ImportRunsRequest(table=table_pb2.Table(columns=columns))
    error = refused(server.laws.ImportRuns, request)
    assert error.code == INVALID
    assert error.fields[0].startswith("table.columns")
    assert fault in error.text
    assert server.laws.ListRunSets(laws_service_pb2.ListRunSetsRequest()) == before


def test_an_answer_is_refused_for_its_page_size_and_for_a_token_of_another_list(server: Any, refused: Any) -> None:
    size = refused(server.laws.ListLaws, laws_service_pb2.ListLawsRequest(page_size=-1))
    assert (size.code, size.fields) == (INVALID, ["page_size"])
    token = server.laws.ListLaws(laws_service_pb2.ListLawsRequest(page_size=1)).next_page_token
    assert token
    other = refused(server.planning.ListPlans, planning_service_pb2.ListPlansRequest(page_token=token))
    assert (other.code, other.fields) == (INVALID, ["page_token"])
    for forged in ("x", "eyJ9", token[:-4]):
        error = refused(server.laws.ListLaws, laws_service_pb2.ListLawsRequest(page_token=forged))
        assert (error.code, error.fields) == (INVALID, ["page_token"])


def test_predictions_name_the_column_at_fault(server: Any, refused: Any, table: Any) -> None:
    predict, law = server.laws.Predict, "laws/besiroglu-2024"
    missing = refused(predict, laws_service_pb2.PredictRequest(law=law, points=table(N=[1e9, 2e9])))
    assert (missing.code, missing.fields) == (INVALID, ["points.columns[token_count]"])
    negative = refused(predict, laws_service_pb2.PredictRequest(law=law, points=table(N=[1e9], D=[-1.0])))
    assert negative.fields == ["points.columns[D]"]
    text = refused(predict, laws_service_pb2.PredictRequest(law=law, points=table(N=["big"], D=[1e9])))
    assert text.fields == ["points.columns[N]"]
    level = refused(predict, laws_service_pb2.PredictRequest(law=law, points=table(N=[1e9], D=[1e9]), level=1.5))
    assert level.fields == ["level"]


def test_long_words_are_quoted_in_part_and_long_lists_refused(server: Any, refused: Any) -> None:
    wordy = refused(server.planning.PlanTraining, Training(training_flops=1e22, minimize="x" * 100_000))
    assert (wordy.code, wordy.fields) == (INVALID, ["minimize"])
    assert len(wordy.text) < 2000
    unknown = refused(server.planning.PlanTraining, Training(limits={f"m{i}": 1.0 for i in range(100)}))
    assert (unknown.code, len(unknown.fields)) == (INVALID, 16)
    many = refused(server.planning.PlanTraining, Training(training_flops=1e22, expert_counts=[8] * 100_000))
    assert (many.code, many.fields) == (INVALID, ["expert_counts"])
    choice = planning_service_pb2.HardwareChoice(accelerators=["H100"] * 100_000)
    chips = refused(server.planning.PlanTraining, Training(training_flops=1e22, hardware=choice))
    assert (chips.code, chips.fields) == (INVALID, ["hardware.accelerators"])
    token = refused(server.laws.ListLaws, laws_service_pb2.ListLawsRequest(page_token="W1tb" * 100_000))
    assert (token.code, token.fields) == (INVALID, ["page_token"])
