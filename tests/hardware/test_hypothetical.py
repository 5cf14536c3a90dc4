"""Models known by their parameter counts alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from planner.errors import InvalidInput
from planner.hardware import estimate_serving, hypothetical_shape, model_shape, model_shape_names, serving_cell
from planner.hardware.hypothetical import distance_from_known, widened
from planner.hardware.serving import tpot_seconds, ttft_seconds
from planner.hardware.serving_points import model_of
from planner.hardware.tables import table


def row(**model: Any) -> dict[str, list[Any]]:
    said = {"system": "H100-SXM", "precision": "fp8", "tp": 8, "concurrency": 16, "isl": 1024, "osl": 512, **model}
    return {name: [cell] for name, cell in said.items()}


def test_a_parameter_count_is_enough_to_be_estimated() -> None:
    found = estimate_serving(row(parameter_count=7e10))
    known = estimate_serving(row(model="Llama-3.1-70B"))
    assert found["supported"] == [True]
    assert found["predicted_tpot_seconds"] == pytest.approx(known["predicted_tpot_seconds"], rel=0.15)
    assert known["shape_distance"] == [1.0]
    assert found["shape_distance"] == [pytest.approx(1.0, abs=0.02)]
    for quantity in ("tpot_seconds", "ttft_seconds", "output_tokens_per_second"):
        spread = [t[f"predicted_{quantity}_upper"][0] / t[f"predicted_{quantity}_lower"][0] for t in (found, known)]
        assert spread[0] > spread[1]


def test_rows_of_known_and_planned_models_keep_their_own_distances() -> None:
    table = {name: cells * 3 for name, cells in row(parameter_count=None, model="Llama-3.1-8B").items()}
    table["model"], table["parameter_count"] = ["Llama-3.1-8B", "", "planned"], [None, 4e12, 7e10]
    table["tp"] = [8, 8, 8]
    distance = estimate_serving(table)["shape_distance"]
    assert distance[0] == 1.0
    assert np.isnan(distance[1]), "it does not fit"
    assert distance[2] == pytest.approx(1.0, abs=0.02)


def test_experts_are_read_from_a_total_or_from_a_count() -> None:
    by_total = model_of("", total_parameters=671e9, active_parameters=37e9, expert_count=256)
    assert (by_total.total_parameters, by_total.active_parameters) == (671e9, 37e9)
    of_a_law = model_of("", active_parameters=1e9, expert_count=8)
    assert of_a_law == hypothetical_shape(1e9, 8)
    assert estimate_serving(row(parameter_count=3.7e10, total_parameter_count=6.71e11))["supported"] == [True]


def test_neither_a_model_nor_a_count_is_refused() -> None:
    with pytest.raises(InvalidInput, match="parameter_count"):
        estimate_serving(row())
    assert estimate_serving(row(model="no such", parameter_count=None))["supported"] == [False]


def test_a_known_size_is_at_no_distance_and_twice_the_largest_at_two() -> None:
    largest = max((model_shape(n) for n in model_shape_names()), key=lambda s: s.total_parameters)
    assert distance_from_known(largest.active_parameters, largest.total_parameters) == pytest.approx(1.0)
    assert distance_from_known(largest.active_parameters, 2 * largest.total_parameters) == pytest.approx(2.0)


def test_intervals_widen_on_both_sides_and_more_for_experts() -> None:
    lower, upper = widened("tpot_seconds", 0.8, 1.25, np.array([False, True]))
    assert (lower < 0.8).all()
    assert 1.25 < upper[0] < upper[1]


@pytest.mark.parametrize("kind", ["dense", "experts"])
def test_the_table_of_doubt_is_what_the_catalogue_shows(kind: str) -> None:
    ratios: dict[str, list[float]] = {"tpot_seconds": [], "ttft_seconds": []}
    for name in model_shape_names():
        real = model_shape(name)
        if real.is_moe != (kind == "experts"):
            continue
        planned = model_of("", real.total_parameters, real.active_parameters)
        for chip in ("H100", "B200"):
            cell = serving_cell(chip, "fp8", tensor_parallel=8)
            for batch in (1.0, 16.0, 64.0, 256.0):
                for inputs in (1000.0, 8000.0):
                    for quantity, time in (("tpot_seconds", tpot_seconds), ("ttft_seconds", ttft_seconds)):
                        load = (cell, batch, inputs, 1000.0)
                        ratios[quantity].append(float(time(real, *load) / time(planned, *load)))
    for quantity, found in ratios.items():
        stated = table("hypothetical")[kind][quantity]
        lower, upper = np.quantile(found, [0.1, 0.9])
        assert (stated["lower"], stated["upper"]) == (pytest.approx(lower, rel=0.05), pytest.approx(upper, rel=0.05))
