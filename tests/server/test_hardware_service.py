"""Accelerators, model shapes and estimates."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from apportion.v1 import hardware_service_pb2 as wire


@pytest.mark.parametrize("name", ["accelerators/H100-SXM", "h100_sxm", "accelerators/NVIDIA H100-SXM5-80GB"])
def test_an_accelerator_is_found_under_any_of_its_names(server: Any, name: str) -> None:
    found = server.hardware.GetAccelerator(wire.GetAcceleratorRequest(name=name))
    assert found.name == "accelerators/H100-SXM"
    assert found.peak_flops_per_second["bf16"] == pytest.approx(989.4e12)  # the maker's data sheet, dense
    assert found.memory_bytes == 80e9
    assert found.scaleup_domain_count == 8
    assert all(offer.price_usd_per_hour > 0 and offer.source for offer in found.offers)


def test_figures_a_data_sheet_lacks_are_unset(server: Any) -> None:
    entries = server.hardware.ListAccelerators(wire.ListAcceleratorsRequest(page_size=1000)).accelerators
    assert all(not entry.HasField("tdp_watts") or entry.tdp_watts > 0 for entry in entries)


def test_a_model_shape_counts_the_parameters_of_its_tensors(server: Any) -> None:
    shape = server.hardware.GetModelShape(wire.GetModelShapeRequest(name="modelShapes/Llama-3.1-70B"))
    assert shape.total_parameter_count == pytest.approx(70.6e9, rel=2e-3)  # the model card
    assert shape.layer_count == 80
    assert shape.kv_bytes_per_token == 2 * 2 * 80 * 8 * 128
    assert shape.attention == "GQA"


SERVING = {
    "system": ["h100_sxm", "h100_sxm", "no such chip"],
    "model": ["Llama-3.1-70B"] * 3,
    "precision": ["fp8", "fp8", "fp8"],
    "isl": [1024.0] * 3,
    "osl": [1024.0] * 3,
    "concurrency": [4.0, 64.0, 4.0],
    "tp": [4.0] * 3,
    "n_gpus": [4.0] * 3,
}


def cells(answer: Any) -> dict[str, list[Any]]:
    return {c.name: list(c.numbers.values) or list(c.texts.values) for c in answer.table.columns}


def test_serving_estimates_stand_behind_the_callers_columns(server: Any, table: Any) -> None:
    points = table(**SERVING)
    answer = server.hardware.EstimateServing(wire.EstimateServingRequest(points=points))
    assert list(answer.table.columns)[: len(SERVING)] == list(points.columns), "what was sent comes back as it was"
    found = cells(answer)
    tpot = "predicted_tpot_seconds"
    assert found[f"{tpot}_lower"][0] < found[tpot][0] < found[f"{tpot}_upper"][0]
    assert found[tpot][0] < found[tpot][1], "a fuller batch takes longer a token"
    supported = [str(cell).lower() in ("true", "1.0", "1") for cell in found["supported"]]
    assert supported == [True, True, False]
    blank = next(c for c in answer.table.columns if c.name == tpot).numbers.blank_rows
    assert list(blank) == [2]


def test_energy_and_training_estimates_have_their_columns(server: Any, table: Any) -> None:
    energy = server.hardware.EstimateEnergy(wire.EstimateEnergyRequest(points=table(**SERVING)))
    assert cells(energy).keys() >= {"predicted_joules_per_token", "predicted_power_watts", "supported"}
    run = table(model=["x"], n_params=[70e9], tokens=[15e12], accelerator=["H100-SXM"], n_accel=[1024.0])
    training = server.hardware.EstimateTraining(wire.EstimateTrainingRequest(points=run))
    hours = cells(training)["predicted_accelerator_hours"][0]
    assert 6 * 70e9 * 15e12 / 989.4e12 / 3600 < hours < 10 * 6 * 70e9 * 15e12 / 989.4e12 / 3600


def test_an_estimate_without_its_columns_names_them(server: Any, refused: Any, table: Any) -> None:
    error = refused(server.hardware.EstimateServing, wire.EstimateServingRequest(points=table(isl=[1.0])))
    assert error.code == grpc.StatusCode.INVALID_ARGUMENT
    assert any("model" in field for field in error.fields)
