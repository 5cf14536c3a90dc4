"""Own accelerators, models and calibrations through a real server: made, used by name, kept, forgotten."""

from __future__ import annotations

import json
import uuid
from typing import Any

import grpc
import pytest
from google.longrunning import operations_pb2

from apportion.v1 import calibration_pb2, hardware_pb2, price_book_pb2
from apportion.v1 import hardware_service_pb2 as wire
from apportion.v1 import planning_service_pb2 as planning

CHIP = hardware_pb2.Accelerator(
    peak_flops_per_second={"bf16": 989.4e12, "fp8": 1979e12, "int8": 1979e12},
    memory_bytes=80e9,
    memory_bytes_per_second=3.35e12,
    scaleup_bytes_per_second=450e9,
    scaleup_domain_count=8,
    scaleup_link="switch",
    scaleout_bytes_per_second=50e9,
    tdp_watts=700,
    source="the facts of an H100",
)
CONFIG = {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
}


def create_chip(server: Any, identity: str, chip: hardware_pb2.Accelerator = CHIP, **more: Any) -> Any:
    request = wire.CreateAcceleratorRequest(accelerator_id=identity, accelerator=chip, **more)
    return server.hardware.CreateAccelerator(request)


def create_model(server: Any, identity: str, **shape: Any) -> Any:
    request = wire.CreateModelShapeRequest(model_shape_id=identity, model_shape=hardware_pb2.ModelShape(**shape))
    return server.hardware.CreateModelShape(request)


def points(table: Any, chip: str, model: str) -> Any:
    return table(
        system=[chip] * 2, model=[model] * 2, precision=["fp8"] * 2, tp=[2.0] * 2, isl=[1024.0] * 2, osl=[512.0] * 2,
        concurrency=[4.0, 64.0],
    )  # fmt: skip


def predicted(server: Any, points: Any, column: str = "predicted_tpot_seconds", calibration: str = "") -> list[float]:
    answer = server.hardware.EstimateServing(wire.EstimateServingRequest(points=points, calibration=calibration))
    return next(list(c.numbers.values) for c in answer.table.columns if c.name == column)


def measurements(server: Any, table: Any, slower: float) -> str:
    """A CSV of what the service predicts for one accelerator and model, times a factor."""
    rows = [(tp, users, length) for tp in (2, 4, 8) for users in (1, 8, 64) for length in (512, 2048)]
    asked = table(
        system=["H100-SXM"] * len(rows), model=["Llama-3.1-70B"] * len(rows), precision=["fp8"] * len(rows),
        framework=["vllm"] * len(rows), tp=[float(r[0]) for r in rows], concurrency=[float(r[1]) for r in rows],
        isl=[float(r[2]) for r in rows], osl=[256.0] * len(rows),
    )  # fmt: skip
    times = [[slower * t * 1e3 for t in predicted(server, asked, f"predicted_{q}_seconds")] for q in ("tpot", "ttft")]
    lines = ["system,model,precision,framework,tp,concurrency,isl,osl,tpot_ms,ttft_ms"]
    for (tp, users, length), tpot, ttft in zip(rows, *times, strict=True):
        lines.append(f"H100-SXM,Llama-3.1-70B,fp8,vllm,{tp},{users},{length},256,{tpot},{ttft}")
    return "\n".join([*lines, "L40S-of-mine,Llama-3.1-70B,fp8,vllm,4,8,512,256,20,100"])


def calibrate(server: Any, content: str, identity: str, **more: Any) -> calibration_pb2.Calibration:
    file = wire.MeasurementFile(file_name="mine.csv", content=content)
    request = wire.CalibrateRequest(calibration_id=identity, measurements=[file], **more)
    operation = server.hardware.Calibrate(request)
    done = server.operations.WaitOperation(operations_pb2.WaitOperationRequest(name=operation.name), timeout=60)
    found = calibration_pb2.Calibration()
    assert done.response.Unpack(found), done.error
    return found


def test_an_own_accelerator_is_found_listed_used_and_forgotten(server: Any, refused: Any, table: Any) -> None:
    made = create_chip(server, "my-chip")
    assert made.name == "accelerators/my-chip"
    assert made.HasField("create_time")
    assert server.hardware.GetAccelerator(wire.GetAcceleratorRequest(name="My_Chip")) == made
    listed = server.hardware.ListAccelerators(wire.ListAcceleratorsRequest(page_size=1000)).accelerators
    assert listed[-1] == made
    same = predicted(server, points(table, "H100-SXM", "Llama-3.1-8B"))
    assert predicted(server, points(table, "my-chip", "Llama-3.1-8B")) == pytest.approx(same)
    server.hardware.DeleteAccelerator(wire.DeleteAcceleratorRequest(name=made.name))
    error = refused(server.hardware.GetAccelerator, wire.GetAcceleratorRequest(name=made.name))
    assert error.code == grpc.StatusCode.NOT_FOUND


def test_an_own_name_cannot_be_a_known_one(server: Any, refused: Any) -> None:
    create_chip(server, "once-only")
    for taken in ("once-only", "onceonly", "h100-sxm", "h100"):
        request = wire.CreateAcceleratorRequest(accelerator_id=taken, accelerator=CHIP)
        assert refused(server.hardware.CreateAccelerator, request).code == grpc.StatusCode.ALREADY_EXISTS, taken
    server.hardware.DeleteAccelerator(wire.DeleteAcceleratorRequest(name="accelerators/once-only"))
    shipped = wire.DeleteAcceleratorRequest(name="accelerators/H100-SXM")
    assert refused(server.hardware.DeleteAccelerator, shipped).code == grpc.StatusCode.NOT_FOUND


def test_all_that_is_wrong_with_an_accelerator_is_named_by_the_requests_fields(server: Any, refused: Any) -> None:
    wrong = hardware_pb2.Accelerator(
        peak_flops_per_second={"fp8": -1.0}, memory_bytes=float("nan"), scaleup_link="string", die_count=1000
    )
    request = wire.CreateAcceleratorRequest(accelerator_id="wrong", accelerator=wrong)
    error = refused(server.hardware.CreateAccelerator, request)
    assert error.code == grpc.StatusCode.INVALID_ARGUMENT
    assert set(error.fields) == {
        "accelerator.peak_flops_per_second[fp8]",
        "accelerator.peak_flops_per_second[bf16]",
        "accelerator.memory_bytes",
        "accelerator.memory_bytes_per_second",
        "accelerator.scaleup_link",
        "accelerator.die_count",
    }
    nameless = wire.CreateAcceleratorRequest(accelerator=CHIP)
    assert refused(server.hardware.CreateAccelerator, nameless).fields == ["accelerator_id"]


def test_a_model_is_made_from_its_configuration_or_from_its_fields(server: Any, table: Any) -> None:
    by_config = create_model(server, "my-llama", config_json=json.dumps(CONFIG))
    by_fields = create_model(
        server, "my-llama-2", layer_count=32, hidden_size=4096, head_count=32, key_value_head_count=8,
        intermediate_size=14336, vocabulary_size=128256,
    )  # fmt: skip
    assert by_config.total_parameter_count == by_fields.total_parameter_count == pytest.approx(8.03e9, rel=1e-3)
    assert by_fields.head_count == 32
    assert server.hardware.GetModelShape(wire.GetModelShapeRequest(name="modelShapes/MY-LLAMA")) == by_config
    known = predicted(server, points(table, "H100-SXM", "Llama-3.1-8B"))
    for name in ("my-llama", "my-llama-2"):
        assert predicted(server, points(table, "H100-SXM", name)) == pytest.approx(known)
        server.hardware.DeleteModelShape(wire.DeleteModelShapeRequest(name=f"modelShapes/{name}"))


@pytest.mark.parametrize("config", ["{", "[]", '"x"', '{"hidden_size": 1e400}', "[" * 50_000, "{}"])
def test_a_configuration_that_is_none_is_refused(server: Any, refused: Any, config: str) -> None:
    shape = hardware_pb2.ModelShape(config_json=config)
    request = wire.CreateModelShapeRequest(model_shape_id="none", model_shape=shape)
    error = refused(server.hardware.CreateModelShape, request)
    assert error.code == grpc.StatusCode.INVALID_ARGUMENT
    assert all("config_json" in field for field in error.fields)


def test_creating_is_repeatable_and_can_be_tried(server: Any, refused: Any) -> None:
    request_id = str(uuid.uuid4())
    made = create_chip(server, "again", request_id=request_id)
    assert create_chip(server, "again", request_id=request_id) == made
    server.hardware.DeleteAccelerator(wire.DeleteAcceleratorRequest(name=made.name))
    create_chip(server, "again", validate_only=True)
    error = refused(server.hardware.GetAccelerator, wire.GetAcceleratorRequest(name=made.name))
    assert error.code == grpc.StatusCode.NOT_FOUND


def test_a_calibration_is_made_used_by_name_versioned_and_forgotten(server: Any, refused: Any, table: Any) -> None:
    found = calibrate(server, measurements(server, table, 1.4), "slow-stack")
    assert (found.name, found.version, found.row_count) == ("calibrations/slow-stack@1", 1, 18)
    assert [r.origin for r in found.refused] == ["mine.csv:20"]
    assert "L40S-of-mine" in found.refused[0].reason
    assert found.errors_before["tpot_seconds"] == pytest.approx(0.4 / 1.4, rel=0.05)
    assert found.errors_after["tpot_seconds"] < 0.05
    assert [g.group for g in found.groups] == ["H100-SXM meta-llama/Meta-Llama-3.1-70B"]
    asked = points(table, "H100-SXM", "Llama-3.1-70B")
    plain = predicted(server, asked)
    slower = predicted(server, asked, calibration="slow-stack")
    assert [a / b for a, b in zip(slower, plain, strict=True)] == pytest.approx([1.4, 1.4], rel=0.12)

    again = calibrate(server, measurements(server, table, 1.1), "slow-stack")
    assert (again.name, again.version) == ("calibrations/slow-stack@2", 2)
    assert again.etag != found.etag
    get = server.hardware.GetCalibration
    assert get(wire.GetCalibrationRequest(name="calibrations/slow-stack")) == again
    assert get(wire.GetCalibrationRequest(name="slow-stack@1")) == found
    assert predicted(server, asked, calibration="calibrations/slow-stack@1") == slower
    assert predicted(server, asked, calibration="slow-stack")[0] < slower[0]
    listed = server.hardware.ListCalibrations(wire.ListCalibrationsRequest()).calibrations
    assert [c.name for c in listed if "slow-stack" in c.name] == [again.name, found.name]

    server.hardware.DeleteCalibration(wire.DeleteCalibrationRequest(name=again.name))
    assert get(wire.GetCalibrationRequest(name="slow-stack")) == found
    server.hardware.DeleteCalibration(wire.DeleteCalibrationRequest(name="slow-stack"))
    for name in ("slow-stack", "slow-stack@1"):
        request = wire.EstimateServingRequest(points=asked, calibration=name)
        assert refused(server.hardware.EstimateServing, request).code == grpc.StatusCode.NOT_FOUND


def test_one_request_id_makes_one_calibration(server: Any, table: Any) -> None:
    content, request_id = measurements(server, table, 1.2), str(uuid.uuid4())
    first = calibrate(server, content, "once", request_id=request_id)
    assert calibrate(server, content, "once", request_id=request_id) == first
    newest = server.hardware.GetCalibration(wire.GetCalibrationRequest(name="once"))
    assert newest.version == 1


def test_own_entries_can_be_calibrated_on(server: Any, table: Any) -> None:
    create_chip(server, "bench-chip")
    create_model(server, "bench-model", config_json=json.dumps(CONFIG))
    content = measurements(server, table, 1.3)
    found = calibrate(server, content, "own-entries", accelerator="accelerators/bench-chip", model="bench-model")
    assert [g.group for g in found.groups] == ["bench-chip meta-llama/Meta-Llama-3.1-8B"], "one architecture"
    assert found.row_count == 19, "what is stated holds for the row of an unknown accelerator too"
    server.hardware.DeleteAccelerator(wire.DeleteAcceleratorRequest(name="accelerators/bench-chip"))
    server.hardware.DeleteModelShape(wire.DeleteModelShapeRequest(name="modelShapes/bench-model"))


@pytest.mark.parametrize(
    ("content", "said"),
    [("", "CSV"), ("a,b\n1,2", "tpot_ms"), ('{"x": 1}', "vllm"), ("system,tpot_ms\nH100,1", "model")],
)
def test_measurements_that_cannot_be_used_are_refused_at_once(
    server: Any, refused: Any, content: str, said: str
) -> None:
    request = wire.CalibrateRequest(measurements=[wire.MeasurementFile(content=content)])
    error = refused(server.hardware.Calibrate, request)
    assert error.code == grpc.StatusCode.INVALID_ARGUMENT
    assert said in error.text
    assert refused(server.hardware.Calibrate, wire.CalibrateRequest()).fields == ["measurements"]


@pytest.mark.parametrize("name", ["", "x@", "x@y", "x@99999999999", "calibrations/"])
def test_a_malformed_name_of_a_calibration_is_no_internal_error(server: Any, refused: Any, name: str) -> None:
    error = refused(server.hardware.GetCalibration, wire.GetCalibrationRequest(name=name))
    assert error.code == grpc.StatusCode.INVALID_ARGUMENT


def test_a_calibration_under_way_survives_sigkill_and_is_made_once(start_server: Any, table: Any) -> None:
    first = start_server("--workers", "1")
    create_chip(first, "kept-chip")
    file = wire.MeasurementFile(content=measurements(first, table, 1.3))
    request = wire.CalibrateRequest(calibration_id="survivor", measurements=[file], accelerator="kept-chip")
    operation = first.hardware.Calibrate(request)
    first.kill()
    second = start_server("--workers", "1")
    done = second.operations.WaitOperation(operations_pb2.WaitOperationRequest(name=operation.name), timeout=60)
    found = calibration_pb2.Calibration()
    assert done.response.Unpack(found), done.error
    assert found.version == 1
    assert second.hardware.GetCalibration(wire.GetCalibrationRequest(name="survivor")) == found


BOOK = "accelerator,price_usd_per_hour,term,source,date\nH100,1.0,on-demand,a contract,2026-10-01\n"


def create_book(server: Any, identity: str, content: str = BOOK, **more: Any) -> Any:
    book = price_book_pb2.PriceBook(content=content, **more)
    return server.hardware.CreatePriceBook(wire.CreatePriceBookRequest(price_book_id=identity, price_book=book))


def deployment(model: str, chip: str, **choice: Any) -> planning.PlanDeploymentRequest:
    load = planning.Workload(requests_per_second=200, input_token_count=1024, output_token_count=512)
    hardware = planning.HardwareChoice(accelerators=[chip], precisions=["fp8"], **choice)
    return planning.PlanDeploymentRequest(model=model, workload=load, hardware=hardware, validate_only=True)


def test_a_price_book_is_kept_used_in_plans_and_estimates_and_forgotten(server: Any, refused: Any, table: Any) -> None:
    made = create_book(server, "our-prices")
    assert [(o.accelerator, o.price_usd_per_hour, o.term) for o in made.offers] == [("H100-SXM", 1.0, "on-demand")]
    assert server.hardware.GetPriceBook(wire.GetPriceBookRequest(name="our-prices")) == made
    assert made in server.hardware.ListPriceBooks(wire.ListPriceBooksRequest()).price_books
    plain, own = (
        server.planning.PlanDeployment(deployment("Llama-3.1-8B", "H100", price_book=name))
        for name in ("", "our-prices")
    )
    assert "a contract" in own.provenance["price.H100-SXM"]
    assert own.metrics["usd_per_million_tokens"].value < plain.metrics["usd_per_million_tokens"].value
    runs = table(accelerator=["H100"], model=["Llama-3.1-8B"], n_accel=[64.0], tokens=[1e12])
    costs = []
    for name in ("", "priceBooks/our-prices"):
        answer = server.hardware.EstimateTraining(wire.EstimateTrainingRequest(points=runs, price_book=name))
        costs.append(next(c.numbers.values[0] for c in answer.table.columns if c.name == "predicted_usd"))
    assert costs[1] < costs[0]
    server.hardware.DeletePriceBook(wire.DeletePriceBookRequest(name=made.name))
    gone = refused(server.planning.PlanDeployment, deployment("Llama-3.1-8B", "H100", price_book="our-prices"))
    assert gone.code == grpc.StatusCode.NOT_FOUND


def test_an_unknown_price_book_or_calibration_brings_the_nearest(server: Any, refused: Any, table: Any) -> None:
    made = create_book(server, "negotiated")
    calibrate(server, measurements(server, table, 1.5), "our-engine")
    chosen = deployment("Llama-3.1-8B", "H100", price_book="negociated")
    for call, request, nearest in (
        (server.hardware.GetPriceBook, wire.GetPriceBookRequest(name="priceBooks/negociated"), "negotiated"),
        (server.hardware.DeletePriceBook, wire.DeletePriceBookRequest(name="negociated"), "negotiated"),
        (server.planning.PlanDeployment, chosen, "negotiated"),
        (server.hardware.GetCalibration, wire.GetCalibrationRequest(name="calibrations/our-engin"), "our-engine"),
        (server.hardware.GetCalibration, wire.GetCalibrationRequest(name="our-engine@7"), "our-engine@1"),
        (server.hardware.DeleteCalibration, wire.DeleteCalibrationRequest(name="our-engin"), "our-engine"),
    ):
        error = refused(call, request)
        assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_NAME")
        assert nearest in error.metadata["suggestions"].split(", ")
    server.hardware.DeletePriceBook(wire.DeletePriceBookRequest(name=made.name))


@pytest.mark.parametrize(
    "content", ["", "a,b\n1,2", BOOK.replace("1.0", "free"), "[[price]]\nx = ", BOOK.splitlines()[0]]
)
def test_a_price_book_that_is_none_is_refused(server: Any, refused: Any, content: str) -> None:
    book = price_book_pb2.PriceBook(content=content)
    error = refused(server.hardware.CreatePriceBook, wire.CreatePriceBookRequest(price_book_id="b", price_book=book))
    assert error.code == grpc.StatusCode.INVALID_ARGUMENT


def test_plans_know_own_accelerators_models_and_calibrations(server: Any, refused: Any, table: Any) -> None:
    create_chip(server, "plan-chip")
    create_model(server, "plan-model", config_json=json.dumps(CONFIG))
    prices = {"plan-chip": 2.0}
    own = server.planning.PlanDeployment(deployment("plan-model", "plan-chip", price_usd_per_hour=prices))
    assert own.decision.accelerator == "plan-chip"
    same = server.planning.PlanDeployment(deployment("Llama-3.1-8B", "H100", price_usd_per_hour={"H100": 2.0}))
    cost = [p.metrics["usd_per_million_tokens"].value for p in (own, same)]
    assert cost[0] == pytest.approx(cost[1])

    calibrate(server, measurements(server, table, 1.5), "plan-stack")
    slow = server.planning.PlanDeployment(deployment("Llama-3.1-70B", "H100", calibration="plan-stack"))
    plain = server.planning.PlanDeployment(deployment("Llama-3.1-70B", "H100"))
    assert slow.metrics["usd_per_million_tokens"].value > 1.2 * plain.metrics["usd_per_million_tokens"].value
    assert slow.provenance["calibration"] == "calibrations/plan-stack@1"
    elsewhere = server.planning.PlanDeployment(deployment("Llama-3.1-8B", "H100", calibration="plan-stack"))
    assert "CALIBRATED_ELSEWHERE" in [w.code for w in elsewhere.warnings]

    training = planning.PlanTrainingRequest(budget_usd=1e6, validate_only=True)
    training.hardware.accelerators.append("plan-chip")
    training.hardware.price_usd_per_hour["plan-chip"] = 2.0
    assert server.planning.PlanTraining(training).decision.accelerator == "plan-chip"
    server.hardware.DeleteAccelerator(wire.DeleteAcceleratorRequest(name="accelerators/plan-chip"))
    assert refused(server.planning.PlanTraining, training).code == grpc.StatusCode.NOT_FOUND
    server.hardware.DeleteModelShape(wire.DeleteModelShapeRequest(name="modelShapes/plan-model"))
