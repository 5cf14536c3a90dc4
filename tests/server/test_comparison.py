"""Forms are compared as an operation, and a law can be fitted in the form that wins."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.longrunning import operations_pb2
from google.protobuf import duration_pb2

from apportion.v1 import comparison_pb2, law_pb2, laws_service_pb2

Compare = laws_service_pb2.CompareFormsRequest


def wait(server: Any, operation: operations_pb2.Operation) -> operations_pb2.Operation:
    request = operations_pb2.WaitOperationRequest(name=operation.name, timeout=duration_pb2.Duration(seconds=60))
    done: operations_pb2.Operation = server.operations.WaitOperation(request, timeout=70)
    assert done.done
    return done


@pytest.fixture(scope="module")
def run_set(server: Any, runs: Any) -> str:
    return str(server.laws.ImportRuns(laws_service_pb2.ImportRunsRequest(table=runs)).name)


def test_the_form_that_made_the_runs_wins(server: Any, run_set: str) -> None:
    request = Compare(run_set=run_set, forms=["Chinchilla", "kaplan"], holdout="N > 5e9", bootstrap_draw_count=100)
    found = comparison_pb2.FormComparison()
    assert wait(server, server.laws.CompareForms(request)).response.Unpack(found)
    assert found.chosen_form == "chinchilla"
    assert found.ranking[0].form == "chinchilla"
    assert found.ranking[0].holdout_error.value < 0.02
    assert found.trustworthy
    assert found.error_kind == "log_ratio"
    assert (found.row_count, found.holdout_row_count) == (50, 10)
    assert {score.form for score in found.ranking if score.baseline} == {"nearest-run", "log-plane", "constant"}
    assert all(len(score.split_errors) == len(found.splits) for score in found.ranking)


def test_auto_fits_the_winner(server: Any, run_set: str) -> None:
    request = laws_service_pb2.FitLawRequest(run_set=run_set, form="auto", bootstrap_draw_count=10)
    law = law_pb2.Law()
    assert wait(server, server.laws.FitLaw(request)).response.Unpack(law)
    assert "by extrapolation" in law.provenance["option.form chosen"]
    assert law.coefficients


def test_what_cannot_be_compared_is_refused(server: Any, run_set: str, refused: Any) -> None:
    unknown = refused(server.laws.CompareForms, Compare(run_set=run_set, forms=["chinchila"]))
    assert (unknown.code, unknown.reason) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_NAME")
    everything = refused(server.laws.CompareForms, Compare(run_set=run_set, forms=["kaplan"], holdout="N > 1"))
    assert (everything.code, everything.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["holdout"])
    draws = refused(server.laws.CompareForms, Compare(run_set=run_set, bootstrap_draw_count=-1))
    assert draws.fields == ["bootstrap_draw_count"]
    missing = refused(server.laws.CompareForms, Compare(run_set="runSets/none"))
    assert missing.code == grpc.StatusCode.NOT_FOUND


def test_checking_alone_starts_nothing(server: Any, run_set: str) -> None:
    answer = server.laws.CompareForms(Compare(run_set=run_set, forms=["kaplan"], validate_only=True))
    assert answer.done
    assert not answer.name
