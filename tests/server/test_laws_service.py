"""Runs in, laws out: import, fit, read, predict, forget."""

from __future__ import annotations

import uuid
from typing import Any

import grpc
import pytest
from google.longrunning import operations_pb2
from google.protobuf import duration_pb2

from apportion.v1 import law_pb2, laws_service_pb2, planning_service_pb2

Fit = laws_service_pb2.FitLawRequest


def wait(server: Any, operation: operations_pb2.Operation) -> operations_pb2.Operation:
    request = operations_pb2.WaitOperationRequest(name=operation.name, timeout=duration_pb2.Duration(seconds=60))
    done: operations_pb2.Operation = server.operations.WaitOperation(request, timeout=70)
    assert done.done
    return done


def law_of(operation: operations_pb2.Operation) -> law_pb2.Law:
    law = law_pb2.Law()
    assert operation.response.Unpack(law), operation.error
    return law


@pytest.fixture(scope="module")
def run_set(server: Any, runs: Any) -> str:
    return str(server.laws.ImportRuns(laws_service_pb2.ImportRunsRequest(table=runs)).name)


@pytest.fixture(scope="module")
def fitted(server: Any, run_set: str) -> law_pb2.Law:
    request = Fit(run_set=run_set, form="chinchilla", law_id="fitted-here", bootstrap_draw_count=50)
    return law_of(wait(server, server.laws.FitLaw(request)))


def test_an_imported_table_is_described_and_listed_first(server: Any, runs: Any) -> None:
    imported = server.laws.ImportRuns(laws_service_pb2.ImportRunsRequest(table=runs, run_set_id="by-name"))
    assert imported.name == "runSets/by-name"
    assert imported.row_count == 60
    assert list(imported.column_names) == ["N", "D", "loss", "recipe"]
    assert len(imported.content_sha256) == 64
    assert server.laws.GetRunSet(laws_service_pb2.GetRunSetRequest(name="runSets/by-name")) == imported
    newest = server.laws.ListRunSets(laws_service_pb2.ListRunSetsRequest(page_size=1)).run_sets[0]
    assert newest == imported


def test_a_fit_finds_the_coefficients_that_made_the_runs(fitted: law_pb2.Law) -> None:
    assert fitted.name == "laws/fitted-here"
    assert fitted.grade == law_pb2.Law.FITTED
    assert fitted.coefficients["E"] == pytest.approx(1.8, rel=0.02)
    assert fitted.coefficients["alpha"] == pytest.approx(0.35, abs=0.02)
    assert fitted.coefficients["beta"] == pytest.approx(0.37, abs=0.02)
    assert fitted.intervals["alpha"].lower < fitted.coefficients["alpha"] < fitted.intervals["alpha"].upper
    assert fitted.provenance["rows_used"] == "60"
    exponent = fitted.compute_optimal_exponent
    assert exponent.value + exponent.token_count.value == pytest.approx(1.0)
    assert exponent.standard_error > 0


def test_a_fitted_law_is_found_in_full_and_in_brief(server: Any, fitted: law_pb2.Law) -> None:
    brief = server.laws.GetLaw(laws_service_pb2.GetLawRequest(name="fitted-here"))
    assert brief == fitted
    full_view = laws_service_pb2.LAW_VIEW_FULL
    full = server.laws.GetLaw(laws_service_pb2.GetLawRequest(name=fitted.name, view=full_view))
    assert len(full.draws.values) == 50 * len(full.draws.coefficient_names)
    listed = server.laws.ListLaws(laws_service_pb2.ListLawsRequest(page_size=1000)).laws
    grades = [law.grade for law in listed]
    assert fitted in listed
    assert grades == sorted(grades, key=lambda grade: grade == law_pb2.Law.FITTED), "published laws come first"


def test_a_fitted_law_predicts_the_runs_it_was_fitted_to(server: Any, fitted: law_pb2.Law, runs: Any) -> None:
    answer = server.laws.Predict(laws_service_pb2.PredictRequest(law=fitted.name, points=runs)).table
    columns = {column.name: column for column in answer.columns}
    assert list(columns)[:4] == ["N", "D", "loss", "recipe"]
    losses, predicted = columns["loss"].numbers.values, columns["predicted_loss"].numbers.values
    assert predicted == pytest.approx(losses, rel=0.01)
    lower, upper = columns["predicted_loss_lower"].numbers.values, columns["predicted_loss_upper"].numbers.values
    inside = [low <= loss <= high for low, loss, high in zip(lower, losses, upper, strict=True)]
    assert sum(inside) >= 0.8 * len(inside)
    assert max(columns["extrapolation_ratio"].numbers.values) == pytest.approx(1.0)


def test_a_published_law_predicts_its_closed_form(server: Any, table: Any) -> None:
    request = laws_service_pb2.PredictRequest(
        law="laws/hoffmann-2022-rounded",
        points=table(size=[70e9], D=[1.4e12]),
        column_variables={"size": "parameter_count"},
    )
    columns = {column.name: column for column in server.laws.Predict(request).table.columns}
    expected = 1.69 + 406.4 / 70e9**0.34 + 410.7 / 1.4e12**0.28
    assert columns["predicted_loss"].numbers.values[0] == pytest.approx(expected, rel=1e-12)


def test_a_law_says_what_its_value_is(server: Any) -> None:
    def metric(name: str) -> str:
        return str(server.laws.GetLaw(laws_service_pb2.GetLawRequest(name=f"laws/{name}")).metric)

    assert metric("besiroglu-2024") == "loss (nats/token)"
    assert metric("porian-2024-tuned") == "best parameters"
    assert "error" in metric("gadre-2024-c4-error-17")


def test_a_prediction_says_where_the_loss_comes_from(server: Any, table: Any, refused: Any) -> None:
    ask = laws_service_pb2.PredictRequest
    points = table(N=[70e9, 1e9], D=[1.4e12, 2e10], loss=[1.99, 2.6])
    answer = server.laws.Predict(ask(law="laws/besiroglu-2024", points=points, include_terms=True)).table
    columns = {column.name: list(column.numbers.values) for column in answer.columns}
    terms = [columns[f"{name}_term"] for name in ("model", "data", "floor")]
    assert [sum(parts) for parts in zip(*terms, strict=True)] == pytest.approx(columns["predicted_loss"], rel=1e-12)
    assert terms[0][0] == pytest.approx(482.01 / 70e9**0.3478, rel=1e-9)
    above = [loss - predicted for loss, predicted in zip([1.99, 2.6], columns["predicted_loss"], strict=True)]
    assert columns["learning_deficiency"] == pytest.approx(above, abs=1e-12)
    kaplan = refused(server.laws.Predict, ask(law="laws/kaplan-2020", points=points, include_terms=True))
    assert kaplan.fields == ["include_terms"]


def test_parameters_counted_in_another_way_than_the_laws_are_converted_or_refused(
    server: Any, refused: Any, table: Any
) -> None:
    def points(column: str, count: float) -> laws_service_pb2.PredictRequest:
        return laws_service_pb2.PredictRequest(
            law="laws/besiroglu-2024", points=table(**{column: [count], "D": [1e10]})
        )

    def loss(column: str, count: float) -> float:
        columns = {column.name: column for column in server.laws.Predict(points(column, count)).table.columns}
        return float(columns["predicted_loss"].numbers.values[0])

    assert loss("N_nonemb", 1e8) == pytest.approx(loss("N", 1e8 + 47491 * 1e8 ** (1 / 3)), rel=1e-12)
    assert loss("N_total", 1e8) == loss("N", 1e8)
    unknown = refused(server.laws.Predict, points("N_active", 1e8))
    assert unknown.code == grpc.StatusCode.INVALID_ARGUMENT
    assert unknown.fields == ["expert_count", "expert_share"]


def test_a_fit_over_bad_columns_is_refused_at_once(server: Any, refused: Any, run_set: str) -> None:
    unknown_form = refused(server.laws.FitLaw, Fit(run_set=run_set, form="chinchila"))
    assert (unknown_form.code, unknown_form.reason) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_NAME")
    text = refused(
        server.laws.FitLaw, Fit(run_set=run_set, form="chinchilla", column_variables={"recipe": "token_count"})
    )
    assert text.code == grpc.StatusCode.INVALID_ARGUMENT
    nothing = refused(server.laws.FitLaw, Fit(run_set=run_set, form="chinchilla", filter="N > 1e30"))
    assert (nothing.code, nothing.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["filter"])
    few = refused(server.laws.FitLaw, Fit(run_set=run_set, form="chinchilla", filter="N > 9e9 and D > 4e12"))
    assert few.code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION)
    missing = refused(server.laws.FitLaw, Fit(run_set="runSets/none", form="chinchilla"))
    assert (missing.code, missing.reason) == (grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND")
    draws = refused(server.laws.FitLaw, Fit(run_set=run_set, form="chinchilla", bootstrap_draw_count=-1))
    assert draws.fields == ["bootstrap_draw_count"]


def test_a_fitted_law_cannot_take_a_name_that_is_taken(
    server: Any, refused: Any, run_set: str, fitted: law_pb2.Law
) -> None:
    for taken in ("besiroglu-2024", "fitted-here"):
        error = refused(server.laws.FitLaw, Fit(run_set=run_set, form="chinchilla", law_id=taken))
        assert error.code == grpc.StatusCode.ALREADY_EXISTS


def test_checking_a_fit_starts_none(server: Any, run_set: str) -> None:
    request = Fit(run_set=run_set, form="chinchilla", law_id="only-checked", validate_only=True)
    assert server.laws.FitLaw(request).done
    names = [law.name for law in server.laws.ListLaws(laws_service_pb2.ListLawsRequest(page_size=1000)).laws]
    assert "laws/only-checked" not in names


def test_a_deleted_law_is_gone_and_its_name_free(server: Any, refused: Any, run_set: str) -> None:
    request = Fit(run_set=run_set, form="chinchilla", law_id="short-lived", bootstrap_draw_count=0)
    law = law_of(wait(server, server.laws.FitLaw(request)))
    assert not law.intervals
    server.laws.DeleteLaw(laws_service_pb2.DeleteLawRequest(name=law.name))
    gone = refused(server.laws.GetLaw, laws_service_pb2.GetLawRequest(name=law.name))
    assert gone.code == grpc.StatusCode.NOT_FOUND
    again = refused(server.laws.DeleteLaw, laws_service_pb2.DeleteLawRequest(name=law.name))
    assert again.code == grpc.StatusCode.NOT_FOUND
    assert law_of(wait(server, server.laws.FitLaw(request))).name == law.name


def test_a_cancelled_fit_ends_as_cancelled_and_leaves_no_law(server: Any, refused: Any, run_set: str) -> None:
    request = Fit(run_set=run_set, form="chinchilla", law_id="cancelled", bootstrap_draw_count=100_000)
    operation = server.laws.FitLaw(request)
    busy = refused(server.operations.DeleteOperation, operations_pb2.DeleteOperationRequest(name=operation.name))
    assert busy.reason == "OPERATION_RUNNING"
    taken = refused(server.laws.FitLaw, request)
    assert taken.code == grpc.StatusCode.ALREADY_EXISTS, "the name is reserved while the fit runs"
    server.operations.CancelOperation(operations_pb2.CancelOperationRequest(name=operation.name))
    done = wait(server, operation)
    assert done.error.code == grpc.StatusCode.CANCELLED.value[0]
    assert (
        refused(server.laws.GetLaw, laws_service_pb2.GetLawRequest(name="cancelled")).code == grpc.StatusCode.NOT_FOUND
    )
    server.operations.DeleteOperation(operations_pb2.DeleteOperationRequest(name=operation.name))
    gone = refused(server.operations.GetOperation, operations_pb2.GetOperationRequest(name=operation.name))
    assert gone.code == grpc.StatusCode.NOT_FOUND


def test_a_repeated_fit_is_the_same_operation(server: Any, refused: Any, run_set: str) -> None:
    identity = str(uuid.uuid4())
    request = Fit(run_set=run_set, form="chinchilla", bootstrap_draw_count=0, request_id=identity)
    first = server.laws.FitLaw(request)
    wait(server, first)
    second = server.laws.FitLaw(request)
    assert second.name == first.name
    assert second.done, "a repeat shows the operation as it stands now"
    other = refused(server.laws.FitLaw, Fit(run_set=run_set, form="kaplan", request_id=identity))
    assert other.reason == "REQUEST_ID_REUSED"


def test_waiting_ends_at_its_timeout_with_the_operation_as_it_stands(server: Any, run_set: str) -> None:
    operation = server.laws.FitLaw(Fit(run_set=run_set, form="chinchilla", bootstrap_draw_count=100_000))
    timeout = duration_pb2.Duration(nanos=200_000_000)
    request = operations_pb2.WaitOperationRequest(name=operation.name, timeout=timeout)
    assert not server.operations.WaitOperation(request, timeout=5).done
    server.operations.CancelOperation(operations_pb2.CancelOperationRequest(name=operation.name))


def test_a_deleted_table_is_gone(server: Any, refused: Any, table: Any) -> None:
    name = server.laws.ImportRuns(laws_service_pb2.ImportRunsRequest(table=table(N=[1.0, 2.0]))).name
    server.laws.DeleteRunSet(laws_service_pb2.DeleteRunSetRequest(name=name))
    gone = refused(server.laws.GetRunSet, laws_service_pb2.GetRunSetRequest(name=name))
    assert (gone.code, gone.metadata["resource"]) == (grpc.StatusCode.NOT_FOUND, name)


def test_runs_that_are_all_alike_cannot_be_fitted(server: Any, refused: Any, table: Any) -> None:
    alike = table(N=[1e9] * 12, D=[2e10] * 12, loss=[2.5 + 0.001 * i for i in range(12)])
    name = server.laws.ImportRuns(laws_service_pb2.ImportRunsRequest(table=alike)).name
    error = refused(server.laws.FitLaw, Fit(run_set=name, form="chinchilla"))
    assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NOT_IDENTIFIED")


def test_a_plan_with_a_fitted_law_names_it(server: Any, fitted: law_pb2.Law) -> None:
    request = planning_service_pb2.PlanTrainingRequest(training_flops=1e22, law=fitted.name)
    plan = server.planning.PlanTraining(request)
    assert plan.decision.parameter_count * plan.decision.token_count * 6 == pytest.approx(1e22, rel=1e-6)
    assert plan.metrics["loss"].lower < plan.metrics["loss"].value < plan.metrics["loss"].upper
    assert "fitted-here" in " ".join(plan.provenance.values())


def test_operations_are_listed_newest_first_without_filters(server: Any, refused: Any, run_set: str) -> None:
    operation = server.laws.FitLaw(Fit(run_set=run_set, form="chinchilla", bootstrap_draw_count=0))
    wait(server, operation)
    listed = server.operations.ListOperations(operations_pb2.ListOperationsRequest(page_size=1)).operations
    assert [found.name for found in listed] == [operation.name]
    error = refused(server.operations.ListOperations, operations_pb2.ListOperationsRequest(filter="done=true"))
    assert error.fields == ["filter"]
