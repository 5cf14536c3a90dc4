"""Answers have the fields of the contract, as plain values."""

from __future__ import annotations

import dataclasses
import json
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest

from apportion import answers
from apportion.reading import read
from apportion.v1 import (
    calibration_pb2,
    comparison_pb2,
    estimate_pb2,
    experiment_pb2,
    hardware_pb2,
    law_pb2,
    plan_pb2,
    price_book_pb2,
)

MESSAGES: dict[type[answers.Answer], Any] = {
    answers.Estimate: estimate_pb2.Estimate,
    answers.PlanWarning: estimate_pb2.Warning,
    answers.ValueRange: estimate_pb2.ValueRange,
    answers.PriceOffer: hardware_pb2.PriceOffer,
    answers.PriceBook: price_book_pb2.PriceBook,
    answers.Accelerator: hardware_pb2.Accelerator,
    answers.ModelShape: hardware_pb2.ModelShape,
    answers.RefusedMeasurement: calibration_pb2.RefusedMeasurement,
    answers.MeasuredGroup: calibration_pb2.MeasuredGroup,
    answers.Calibration: calibration_pb2.Calibration,
    answers.LawDraws: law_pb2.LawDraws,
    answers.ComputeOptimalExponent: law_pb2.ComputeOptimalExponent,
    answers.Law: law_pb2.Law,
    answers.ExperimentDesign: experiment_pb2.ExperimentDesign,
    answers.RunSet: law_pb2.RunSet,
    answers.FormScore: comparison_pb2.FormScore,
    answers.ComparisonSplit: comparison_pb2.ComparisonSplit,
    answers.FormComparison: comparison_pb2.FormComparison,
    answers.TargetComparison: comparison_pb2.TargetComparison,
    answers.Approach: comparison_pb2.Approach,
    answers.ApproachComparison: comparison_pb2.ApproachComparison,
    answers.Decision: plan_pb2.Decision,
    answers.Certificate: plan_pb2.Certificate,
    answers.BindingLimit: plan_pb2.BindingLimit,
    answers.Alternative: plan_pb2.Alternative,
    answers.Conflict: plan_pb2.Conflict,
    answers.Relaxation: plan_pb2.Relaxation,
    answers.SearchEffort: plan_pb2.SearchEffort,
    answers.Plan: plan_pb2.Plan,
    answers.Front: plan_pb2.Front,
}


def a_plan() -> plan_pb2.Plan:
    plan = plan_pb2.Plan(name="plans/p", outcome=plan_pb2.Plan.OPTIMAL, kind=plan_pb2.Plan.TRAINING, objective="loss")
    plan.decision.parameter_count = 7e9
    plan.decision.accelerator = "H100-SXM"
    plan.metrics["loss"].CopyFrom(estimate_pb2.Estimate(value=2.1, lower=2.0, upper=2.2, level=0.8))
    plan.certificate.feasible = True
    plan.alternatives.add(relative_regret=0.1, why_not="dearer", metrics={"loss": 2.3}).decision.parameter_count = 8e9
    plan.create_time.FromDatetime(datetime(2026, 1, 2, tzinfo=UTC))
    return plan


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
def test_an_answer_has_exactly_the_fields_of_its_message(kind: type[answers.Answer]) -> None:
    fields = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    assert fields == [field.name for field in MESSAGES[kind].DESCRIPTOR.fields]


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
def test_an_empty_message_can_be_read_and_written(kind: type[answers.Answer]) -> None:
    empty = MESSAGES[kind]()
    assert read(kind, empty).to_proto() == empty


def test_a_plan_is_plain_values() -> None:
    plan = read(answers.Plan, a_plan())
    assert (plan.outcome, plan.kind, plan.feasible) == ("OPTIMAL", "TRAINING", True)
    assert plan.decision.parameter_count == 7e9
    assert plan.decision.token_count is None
    assert plan.metrics["loss"].value == 2.1
    assert plan.metrics["loss"].standard_error is None
    assert plan.search is None
    assert plan.alternatives[0].decision.parameter_count == 8e9
    assert plan.create_time == datetime(2026, 1, 2, tzinfo=UTC)
    assert plan.decision.values() == {"parameter_count": 7e9, "accelerator": "H100-SXM"}


def test_answers_cannot_be_changed_but_can_be_compared_and_sent_to_other_processes() -> None:
    plan = read(answers.Plan, a_plan())
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.outcome = "FEASIBLE"  # type: ignore[misc]
    assert plan == read(answers.Plan, a_plan())
    assert pickle.loads(pickle.dumps(plan)) == plan


def test_json_has_the_contract_names_even_of_zeros() -> None:
    document = json.loads(json.dumps(read(answers.Plan, a_plan()).to_dict(), allow_nan=False))
    assert document["outcome"] == "OPTIMAL"
    assert document["decision"] == {"parameter_count": 7e9, "accelerator": "H100-SXM", "law_variables": {}}
    assert document["certificate"]["relative_gap"] == 0.0
    assert document["conflicts"] == []


def test_numbers_that_are_not_finite_are_texts_in_json() -> None:
    plan = a_plan()
    plan.certificate.relative_gap = float("inf")
    text = json.dumps(read(answers.Plan, plan).to_dict(), allow_nan=False)
    assert json.loads(text)["certificate"]["relative_gap"] == "Infinity"


def test_a_plan_and_its_runners_up_are_a_frame() -> None:
    frame = read(answers.Plan, a_plan()).to_frame()
    assert frame["parameter_count"].tolist() == [7e9, 8e9]
    assert frame["loss"].tolist() == [2.1, 2.3]


def test_a_front_is_a_table() -> None:
    front = read(answers.Front, plan_pb2.Front(objectives=["loss"], points=[a_plan(), a_plan()]))
    assert front.to_table()["loss_upper"] == (2.2, 2.2)
    assert len(front.to_frame()) == 2


def test_an_unknown_enum_value_of_a_newer_server_is_kept_as_its_number() -> None:
    plan = plan_pb2.Plan.FromString(b"\x18\x63")  # field 3, outcome 99
    assert read(answers.Plan, plan).outcome == "99"
