"""Requests: short names, contract names, YAML habits, and refusals that name everything at once."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from apportion import InvalidArgument
from apportion.fields import DEPLOYMENT, FRONT, LIFECYCLE, PLANS, TRAINING, Kind
from apportion.requests import build, column_variables, resource


def test_short_names_and_contract_names_fill_the_same_places() -> None:
    short = {"unique_tokens": 1e9, "as_good_as": 7e9, "accelerator": "H100-SXM", "experts": [1, 8]}
    long = {
        "unique_token_count": 1e9,
        "as_good_as_parameter_count": 7e9,
        "hardware": {"accelerators": ["H100-SXM"]},
        "expert_counts": [1, 8],
    }
    first, second = build(TRAINING, short), build(TRAINING, long)
    first.request_id = second.request_id = ""
    assert first == second


def test_dashes_texts_scalars_and_commas_are_understood() -> None:
    request = build(
        TRAINING, {"training-flops": "1e22", "accelerators": "H100-SXM, L40S", "limit": ["training_usd=5e6"]}
    )
    assert request.training_flops == 1e22
    assert list(request.hardware.accelerators) == ["H100-SXM", "L40S"]
    assert dict(request.limits) == {"training_usd": 5e6}


@pytest.mark.parametrize(
    "said",
    [
        ["bits=4,8", "density=0.1..0.5", "share= ..1"],
        {"bits": [4, 8], "density": {"lower": 0.1, "upper": "0.5"}, "share": {"upper": 1}},
        {"bits": "4, 8", "density": "0.1..0.5", "share": {"lower": None, "upper": 1}},
    ],
)
def test_law_variables_are_values_or_ranges(said: Any) -> None:
    chosen = build(TRAINING, {"law_variable": said}).law_variables
    assert list(chosen["bits"].values) == [4, 8]
    assert (chosen["density"].lower, chosen["density"].upper) == (0.1, 0.5)
    assert not chosen["share"].HasField("lower")
    assert chosen["share"].upper == 1


@pytest.mark.parametrize("said", [["bits"], ["bits=four"], {"bits": {"least": 1}}, {"bits": [1, "x"]}])
def test_a_law_variable_that_cannot_be_read_is_refused_by_name(said: Any) -> None:
    with pytest.raises(InvalidArgument, match="law_variable"):
        build(TRAINING, {"law_variables": said})


def test_a_law_may_be_named_with_or_without_its_collection() -> None:
    assert build(TRAINING, {"law": "kaplan-2020"}).law == "laws/kaplan-2020"
    assert build(TRAINING, {"law": "laws/kaplan-2020"}).law == "laws/kaplan-2020"
    assert resource("plans", "x") == resource("plans", "plans/x") == "plans/x"


def test_an_absent_value_is_as_if_not_given() -> None:
    request = build(TRAINING, {"training_flops": 1e22, "budget_usd": None, "accelerator": None})
    assert not request.HasField("budget_usd")
    assert not request.HasField("hardware")


def test_hardware_may_be_left_to_the_planner_by_an_empty_mapping() -> None:
    assert build(TRAINING, {"budget_usd": 1e6, "hardware": {}}).HasField("hardware")


def test_short_names_work_inside_nested_mappings() -> None:
    request = build(DEPLOYMENT, {"workload": {"input-tokens": 10, "output_token_count": 20}})
    assert (request.workload.input_token_count, request.workload.output_token_count) == (10, 20)


def test_a_front_takes_its_problem_flat_or_nested() -> None:
    flat = build(FRONT, {"objectives": "loss,lifetime_usd", "inference_tokens": 1e12, "max_tpot_seconds": 0.1})
    nested = build(
        FRONT,
        {
            "objectives": ["loss", "lifetime_usd"],
            "problem": {"inference_token_count": 1e12, "workload": {"max_tpot_seconds": 0.1}},
        },
    )
    flat.request_id = nested.request_id = ""
    assert flat == nested


def test_serving_hardware_differs_from_training_hardware_only_in_what_is_said() -> None:
    request = build(LIFECYCLE, {"accelerator": "H100-SXM", "price_term": "spot", "serving_precision": "fp8"})
    assert list(request.serving_hardware.accelerators) == ["H100-SXM"]
    assert request.serving_hardware.price_term == "spot"
    assert list(request.serving_hardware.precisions) == ["fp8"]
    assert not request.training_hardware.precisions


def test_what_is_said_twice_is_said_anew() -> None:
    request = build(TRAINING, {"accelerators": ["A", "B"], "accelerator": "C"})
    assert list(request.hardware.accelerators) == ["C"]


def test_every_request_gets_an_id_of_its_own() -> None:
    first, second = (build(TRAINING, {"training_flops": 1e22}).request_id for _ in range(2))
    assert first != second
    assert uuid.UUID(first).version == 4


@pytest.mark.parametrize("kind", [*PLANS.values(), FRONT], ids=lambda kind: kind.title)
def test_every_short_name_has_a_place_in_the_contract(kind: Kind) -> None:
    for field in kind.fields:
        descriptor: Any = kind.message.DESCRIPTOR
        for part in field.path.split("."):
            found = descriptor.fields_by_name[part]
            descriptor = found.message_type
        assert field.meaning


def test_everything_wrong_is_named_at_once() -> None:
    with pytest.raises(InvalidArgument) as refusal:
        build(
            TRAINING,
            {
                "training_flop": 1,
                "training_flops": "much",
                "experts": 1.5,
                "explain": "yes",
                "law": 3,
                "alternatives": True,
                "limit": "training_usd",
                "hardware": "H100-SXM",
            },
        )
    named = {violation.field: violation.allowed for violation in refusal.value.violations}
    assert named["training_flop"] == "no such field; did you mean training_flops?"
    assert named["training_flops"] == named["alternatives"] == "a number"
    assert named["experts"] == "a whole number"
    assert named["explain"] == "true or false"
    assert named["law"] == "a text"
    assert named["limit"] == "name=value"
    assert named["hardware"] == "a mapping from field to value"


@pytest.mark.parametrize("value", ["1_000", "0x10", [1], {"a": 1}, 10**400])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(InvalidArgument, match="training_flops"):
        build(TRAINING, {"training_flops": value})


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 0.5, "nan", "inf"])
def test_counts_that_the_wire_cannot_hold_are_refused(value: object) -> None:
    with pytest.raises(InvalidArgument, match="alternatives"):
        build(TRAINING, {"alternatives": value})


def test_columns_are_mapped_by_mappings_or_by_texts() -> None:
    assert column_variables({"params": "N"}) == column_variables(["params=N"]) == {"params": "N"}
    with pytest.raises(InvalidArgument, match="map"):
        column_variables(["params"])
