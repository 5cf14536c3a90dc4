"""Wire messages and planner records: nothing is lost, renamed or invented on the way."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from apportion.v1 import law_pb2, plan_pb2, planning_service_pb2, table_pb2
from planner.allocation import plan as answers
from planner.allocation.choices import HardwareChoice
from planner.errors import InvalidInput
from planner.laws import Caution, Law, law, laws
from server.convert import laws as law_messages
from server.convert import plans, problems, tables
from server.convert.runs import to_runs

Training = planning_service_pb2.PlanTrainingRequest
Lifecycle = planning_service_pb2.PlanLifecycleRequest


def filled_decision() -> answers.Decision:
    values: dict[str, Any] = {}
    for i, field in enumerate(dataclasses.fields(answers.Decision)):
        of_type = {"float": 1.5 + i, "int": 1 + i, "str": f"s{i}", "Mapping[str,": {"density": 1.5 + i}}
        values[field.name] = of_type[str(field.type).split(" ")[0]]
    return answers.Decision(**values)


def test_every_field_of_a_plan_reaches_the_wire() -> None:
    decision, estimate = filled_decision(), answers.Estimate(2.0, 1.0, 3.0, 0.5, 0.9)
    plan = answers.Plan(
        kind=answers.Kind.LIFECYCLE,
        outcome=answers.Outcome.FEASIBLE,
        objective="loss",
        decision=decision,
        decision_intervals={"parameter_count": estimate},
        metrics={"loss": estimate},
        certificate=answers.Certificate(1e-9, True, "by hand", 1.0, 2.0, 1e-12),
        binding=(answers.BindingLimit("training_usd", 5.0, -0.1, -0.02),),
        elasticities={"training_usd": -0.1},
        alternatives=(answers.Alternative(decision, {"loss": 2.5}, 0.01, "dearer"),),
        diagnosis={"model": 0.1, "unknown": math.nan},
        warnings=(Caution("EXTRAPOLATION", "far out"),),
        provenance={"law": "x"},
        conflicts=(answers.Conflict("loss", 1.0, "too low"),),
        relaxation=(answers.Relaxation("loss", 1.0, 2.0),),
        search=answers.SearchEffort(3, 4, 0.5),
    )
    message = plans.to_plan(plan, "because")
    for field in dataclasses.fields(answers.Decision):
        assert field.name in {known.name for known, _ in message.decision.ListFields()}, field.name
        assert getattr(message.decision, field.name) == getattr(decision, field.name)
    unset = {"name", "create_time"}
    for field in plan_pb2.Plan.DESCRIPTOR.fields:
        assert (field.name in unset) != (field in [f for f, _ in message.ListFields()]), field.name
    assert message.relaxation[0].factor == 2.0
    assert message.warnings[0].message == "far out"
    assert message.metrics["loss"].standard_error == 0.5
    assert dict(message.diagnosis) == {"model": 0.1}, "what is no number is left out"


def test_what_does_not_apply_stays_unset() -> None:
    message = plans.to_plan(answers.Plan(answers.Kind.TRAINING, answers.Outcome.INFEASIBLE, "loss"))
    assert message.decision.ListFields() == []
    assert not message.HasField("certificate")


def test_outcomes_and_kinds_have_the_same_names_on_both_sides() -> None:
    assert {o.name for o in answers.Outcome} == set(plan_pb2.Plan.Outcome.keys()) - {"OUTCOME_UNSPECIFIED"}
    assert {k.name for k in answers.Kind} == set(plan_pb2.Plan.Kind.keys()) - {"KIND_UNSPECIFIED"}


@pytest.mark.parametrize(
    ("field", "metric"),
    [
        ("training_flops", "training_flops"),
        ("budget_usd", "training_usd"),
        ("accelerator_hours", "accelerator_hours"),
        ("deadline_hours", "training_hours"),
        ("max_loss", "loss"),
    ],
)
def test_well_known_limits_of_training_are_limits_on_metrics(field: str, metric: str) -> None:
    problem = problems.to_training(Training(**{field: 10.0 if field == "max_loss" else 1e9}), law)
    assert list(problem.limits) == [metric]


@pytest.mark.parametrize(
    ("field", "metric"),
    [
        ("lifetime_flops", "lifetime_flops"),
        ("training_flops", "training_flops"),
        ("budget_usd", "lifetime_usd"),
        ("max_loss", "loss"),
        ("deadline_hours", "training_hours"),
    ],
)
def test_well_known_limits_of_a_lifecycle_are_limits_on_metrics(field: str, metric: str) -> None:
    request = Lifecycle(inference_token_count=1e12, **{field: 10.0 if field == "max_loss" else 1e9})
    assert list(problems.to_lifecycle(request, law).limits) == [metric]


def test_a_limit_cannot_be_given_twice() -> None:
    with pytest.raises(InvalidInput) as error:
        problems.to_training(Training(max_loss=2.0, limits={"loss": 2.1}), law)
    assert error.value.violations[0].field == "max_loss"


def test_hardware_is_chosen_only_where_money_time_or_energy_is_limited() -> None:
    assert problems.to_training(Training(training_flops=1e22), law).hardware is None
    assert problems.to_training(Training(budget_usd=1e6), law).hardware == HardwareChoice()
    assert problems.to_training(Training(max_loss=2.0, minimize="training_usd"), law).hardware == HardwareChoice()
    chosen = planning_service_pb2.HardwareChoice(accelerators=["H100"], price_term="spot", max_accelerator_count=64)
    problem = problems.to_training(Training(training_flops=1e22, hardware=chosen), law)
    assert problem.hardware == HardwareChoice(("H100",), (), 64, "spot", {})


def test_a_law_is_named_bare_or_in_full_and_defaults_to_besiroglu() -> None:
    asked: list[str] = []

    def remember(name: str) -> Law:
        asked.append(name)
        return law("kaplan-2020")

    problems.to_training(Training(training_flops=1e22), remember)
    problems.to_training(Training(training_flops=1e22, law="laws/kaplan-2020"), remember)
    assert asked == ["besiroglu-2024", "laws/kaplan-2020"]


def test_serving_hardware_is_the_training_hardware_unless_said() -> None:
    h100 = planning_service_pb2.HardwareChoice(accelerators=["H100"])
    l4 = planning_service_pb2.HardwareChoice(accelerators=["L4"])
    request = Lifecycle(inference_token_count=1e12, lifetime_flops=1e24, training_hardware=h100)
    assert problems.to_lifecycle(request, law).serving_hardware.accelerators == ("H100",)
    request.serving_hardware.CopyFrom(l4)
    assert problems.to_lifecycle(request, law).serving_hardware.accelerators == ("L4",)


@pytest.mark.parametrize("published", laws(), ids=lambda entry: str(entry.name))
def test_a_law_survives_the_store(published: Law) -> None:
    message, draws = law_messages.to_law(published), law_messages.to_draws(published)
    again = law_messages.from_law(
        law_pb2.Law.FromString(message.SerializeToString()),
        law_pb2.LawDraws.FromString(draws.SerializeToString()),
        table_pb2.NumberCells.FromString(law_messages.to_residuals(published).SerializeToString()),
    )
    assert again.form == published.form
    assert again.compute_model == published.compute_model
    assert (again.grade, again.counting, again.residual_log_sd) == (
        published.grade,
        published.counting,
        published.residual_log_sd,
    )
    assert dict(again.training_range) == dict(published.training_range)
    if published.draws is None:
        assert again.draws is None
    else:
        np.testing.assert_array_equal(again.draws, published.draws)


def test_blank_cells_and_literal_nans_are_told_apart() -> None:
    cells = table_pb2.NumberCells(values=[1.0, 0.0, math.nan], blank_rows=[1])
    message = table_pb2.Table(columns=[table_pb2.Column(name="N", numbers=cells)])
    column = to_runs(message).column("N")
    assert column.blank.tolist() == [False, True, False]
    assert np.isnan(column.numbers).tolist() == [False, True, True]


def test_tables_round_trip() -> None:
    columns = {"n": np.array([1.0, np.nan]), "t": ["a", ""], "ok": [True, False], "i": [1, 2]}
    message = tables.to_table(columns)
    back = tables.from_table(message, "table", max_cells=100)
    np.testing.assert_array_equal(back["n"], columns["n"])
    assert back["t"] == ["a", ""]
    assert back["ok"] == ["true", "false"]
    np.testing.assert_array_equal(back["i"], [1.0, 2.0])
    assert tables.row_count(message) == 2
    assert tables.sha256(message) == tables.sha256(tables.to_table(columns))


def test_a_table_with_too_many_cells_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at most 3"):
        tables.from_table(tables.to_table({"n": [1.0, 2.0], "m": [1.0, 2.0]}), "table", max_cells=3)
