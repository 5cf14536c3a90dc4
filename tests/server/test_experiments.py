"""Experiments designed over the wire: from nothing, after runs, about a law; and what is refused."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from google.longrunning import operations_pb2
from google.protobuf import duration_pb2

from apportion.v1 import experiment_pb2, laws_service_pb2, table_pb2
from planner.errors import InvalidInput
from planner.laws import law
from server.convert.experiments import to_question

Request = laws_service_pb2.DesignExperimentRequest


def designed(server: Any, request: laws_service_pb2.DesignExperimentRequest) -> experiment_pb2.ExperimentDesign:
    operation = server.laws.DesignExperiment(request)
    wait = operations_pb2.WaitOperationRequest(name=operation.name, timeout=duration_pb2.Duration(seconds=60))
    done = server.operations.WaitOperation(wait, timeout=70)
    design = experiment_pb2.ExperimentDesign()
    assert done.response.Unpack(design), done.error
    return design


def table(**columns: list[float]) -> table_pb2.Table:
    message = table_pb2.Table()
    for name, cells in columns.items():
        message.columns.add(name=name).numbers.values.extend(cells)
    return message


def column(message: table_pb2.Table, name: str) -> list[float]:
    return list(next(c for c in message.columns if c.name == name).numbers.values)


def test_results_sent_back_make_the_next_design_surer(server: Any) -> None:
    first = designed(server, Request(budget_flops=1e20, target_flops=1e23))
    assert first.form == "chinchilla"
    assert sum(column(first.runs, "cost_flops")) == pytest.approx(first.cost_flops)
    assert first.cost_flops <= 1e20
    assert first.bound_loss <= first.after_loss < first.before_loss
    n, d = column(first.runs, "parameter_count"), column(first.runs, "token_count")
    losses = [1.8 + 480 * p**-0.347 + 2100 * t**-0.367 for p, t in zip(n, d, strict=True)]
    runs = table(parameter_count=n, token_count=d, loss=losses)
    second = designed(server, Request(budget_flops=1e20, target_flops=1e23, runs=runs))
    assert second.before_loss < first.before_loss
    assert 0 < second.after_flops < second.before_flops < 1e23
    size = second.decision["parameter_count"]
    assert size.lower < size.value < size.upper


def test_a_design_among_given_runs_keeps_their_prices(server: Any) -> None:
    candidates = table(N=[1e8, 2e8, 4e8, 8e8] * 3, D=[2e9] * 4 + [8e9] * 4 + [32e9] * 4, cost_flops=[1.0] * 12)
    points = table(N=[1e10], D=[2e11])
    request = Request(budget_flops=6.0, target_points=points, candidates=candidates, law="laws/besiroglu-2024")
    found = designed(server, request)
    assert found.run_count == 6
    assert found.cost_flops == 6.0
    assert not found.HasField("after_flops")


def test_the_same_request_id_gives_the_same_operation(server: Any) -> None:
    request = Request(budget_flops=1e20, target_flops=1e23, request_id=str(uuid.uuid4()))
    assert server.laws.DesignExperiment(request).name == server.laws.DesignExperiment(request).name


def test_tables_whose_headers_name_a_unit_are_read_as_counts() -> None:
    """Billions in, counts out: the runs to buy are those of the same tables in plain counts."""
    sizes, tokens = [1e8, 4e8, 1.6e9, 6.4e9], [4e9, 1.6e10, 6.4e10, 2.56e11]
    plain = table(N=sizes, D=tokens)
    billions = table(**{"N (B)": [n / 1e9 for n in sizes], "tokens_b": [d / 1e9 for d in tokens]})
    asked = {"budget_flops": 6e22, "target_flops": 1e24, "law": "besiroglu-2024", "seed": 1}
    one, other = (to_question(Request(candidates=c, **asked), law) for c in (plain, billions))
    for variable, values in one.candidates.variables.items():
        assert other.candidates.variables[variable] == pytest.approx(values)
    assert other.candidates.costs == pytest.approx(one.candidates.costs)
    with pytest.raises(InvalidInput) as refused:
        to_question(Request(candidates=table(**{"N (B)": [-0.1, 1.0], "D": [1e9, 1e10]}), **asked), law)
    assert refused.value.violations[0].field == "candidates.columns[N (B)]"


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (Request(budget_flops=1e20), "target_flops"),
        (Request(budget_flops=float("inf"), target_flops=1e23), "budget_flops"),
        (Request(budget_flops=1e20, target_flops=1e23, form="parallel-streams"), "token_count"),
        (Request(budget_flops=1.0, target_flops=1e23, candidates=table(N=[1e8], D=[1e9])), "budget_flops"),
        (Request(budget_flops=1e20, target_flops=1e23, runs=table(N=[1e8], D=[1e9])), "runs.columns[loss]"),
        (Request(budget_flops=1e20, target_points=table(N=[-1.0], D=[1e9])), "target_points.columns[N]"),
    ],
)
def test_what_cannot_be_designed_is_refused_by_name(server: Any, refused: Any, request_: Any, field: str) -> None:
    assert field in str(refused(server.laws.DesignExperiment, request_))
