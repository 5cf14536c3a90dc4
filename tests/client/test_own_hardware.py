"""Own accelerators, models and measurements from Python and from the command line."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from apportion import AlreadyExists, AsyncClient, Client, InvalidArgument, NotFound
from apportion.cli.main import main

CONFIG = {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
}
CHIP: dict[str, Any] = {
    "peak_flops": {"bf16": 4e14, "fp8": 8e14},
    "memory_bytes": 64e9,
    "memory_bytes_per_second": 2e12,
    "tdp_watts": 400,
}
LOADS = [(tp, users) for tp in (2, 4, 8) for users in (1, 8, 32, 64)]


@pytest.fixture
def client(endpoint: str) -> Iterator[Client]:
    with Client(endpoint) as opened:
        yield opened


@pytest.fixture
def run(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    monkeypatch.setenv("APPORTION_ENDPOINT", endpoint)

    def run(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["apportion", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out if not left.value.code else err

    return run


def points(system: str = "H100-SXM", model: str = "Llama-3.1-70B") -> dict[str, list[Any]]:
    rows = len(LOADS)
    return {
        "system": [system] * rows,
        "model": [model] * rows,
        "precision": ["fp8"] * rows,
        "framework": ["vllm"] * rows,
        "tp": [float(tp) for tp, _ in LOADS],
        "concurrency": [float(users) for _, users in LOADS],
        "isl": [1024.0] * rows,
        "osl": [512.0] * rows,
    }


def results(client: Client, slower: float) -> list[dict[str, Any]]:
    """What `vllm bench serve` would have written, were the service right but for a factor."""
    predicted = client.estimate_serving(points())
    times = zip(predicted["predicted_ttft_seconds"], predicted["predicted_tpot_seconds"], strict=True)
    return [
        {
            "backend": "vllm",
            "model_id": "meta-llama/Llama-3.1-70B-Instruct",
            "tensor_parallel_size": tp,
            "request_rate": "inf",
            "max_concurrency": users,
            "completed": 10 * users,
            "total_input_tokens": 10240 * users,
            "total_output_tokens": 5120 * users,
            "mean_ttft_ms": 1e3 * slower * float(ttft or 0),
            "mean_tpot_ms": 1e3 * slower * float(tpot or 0),
        }
        for (tp, users), (ttft, tpot) in zip(LOADS, times, strict=True)
    ]


def test_own_entries_are_made_used_and_forgotten(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(CONFIG))
    chip, model = client.create_accelerator("python-chip", **CHIP), client.create_model_shape("python-model", path)
    assert chip.peak_flops_per_second["fp8"] == 8e14
    assert chip.create_time is not None
    assert model.total_parameter_count == pytest.approx(8.03e9, rel=1e-3)
    assert client.accelerator("Python Chip") == chip
    assert all(client.estimate_serving(points("python-chip", "python-model"))["supported"])
    with pytest.raises(AlreadyExists):
        client.create_accelerator("python-chip", **CHIP)
    client.delete_accelerator("python-chip")
    client.delete_model_shape("python-model")
    with pytest.raises(NotFound):
        client.accelerator("python-chip")


def test_a_model_is_made_from_a_mapping_or_from_its_numbers(client: Client) -> None:
    client.create_model_shape("by-mapping", CONFIG)
    plain = {"layers": 32, "hidden_size": 4096, "heads": 32, "vocabulary_size": 128256, "intermediate_size": 14336}
    numbers = client.create_model_shape("by-numbers", key_value_heads=8, **plain)
    assert numbers.total_parameter_count == client.model_shape("by-mapping").total_parameter_count
    for name in ("by-mapping", "by-numbers"):
        client.delete_model_shape(name)


def test_what_is_wrong_is_named_by_the_word_that_was_used(client: Client, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="did you mean memory_bytes"):
        client.create_accelerator("x", memory_byte=1)
    with pytest.raises(InvalidArgument, match="measurements"):
        client.calibrate(tmp_path / "absent.json")
    with pytest.raises(InvalidArgument, match="num_hidden_layers"):
        client.create_model_shape("x", {"hidden_size": 8})


def test_measurements_of_any_kind_calibrate(client: Client, tmp_path: Path) -> None:
    slower = results(client, 1.3)
    path = tmp_path / "results.jsonl"
    path.write_text("\n".join(map(json.dumps, slower)))
    facts = {"accelerator": "H100-SXM", "precision": "fp8"}
    by_path = client.calibrate(path, name="python-stack", **facts)
    by_mappings = client.calibrate(slower, name="python-stack", **facts)
    table = points() | {f"{q}_ms": [r[f"mean_{q}_ms"] for r in slower] for q in ("ttft", "tpot")}
    by_table = client.calibrate(table, name="python-stack")
    assert [c.version for c in (by_path, by_mappings, by_table)] == [1, 2, 3]
    assert by_path.row_count == by_mappings.row_count == by_table.row_count == len(LOADS)
    assert by_path.constants == pytest.approx(by_mappings.constants)
    assert by_path.errors_before["tpot_seconds"] == pytest.approx(0.3 / 1.3, rel=1e-3)
    assert by_path.errors_after["tpot_seconds"] < 0.05
    plain, own = (client.estimate_serving(points(), calibration=c) for c in ("", "python-stack"))
    ratios = [float(a or 0) / float(b or 1) for a, b in zip(*(t["predicted_tpot_seconds"] for t in (own, plain)))]
    assert ratios == pytest.approx([1.3] * len(LOADS), rel=0.06)
    assert client.calibration("python-stack@1") == by_path
    assert [c.version for c in client.calibrations() if "python-stack" in c.name] == [3, 2, 1]
    client.delete_calibration("python-stack")
    with pytest.raises(NotFound):
        client.calibration("python-stack")


def test_the_async_client_has_them_too(endpoint: str) -> None:
    async def steps() -> str:
        async with AsyncClient(endpoint) as client:
            made = await client.create_accelerator("async-chip", **CHIP)
            await client.delete_accelerator("async-chip")
            return made.name

    assert asyncio.run(steps()) == "accelerators/async-chip"


def test_the_catalogue_is_browsed_and_extended_on_the_command_line(run: Any, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(CONFIG))
    memory = ("--memory-bytes", "64e9", "--memory-bytes-per-second", "2e12")
    code, out = run("hardware", "accelerators", "add", "cli-chip", "--peak-flops", "bf16=4e14", *memory, "-o", "json")
    assert code == 0
    assert json.loads(out)["name"] == "accelerators/cli-chip"
    assert run("hardware", "models", "add", "cli-model", "--config", config)[0] == 0
    assert "cli-chip" in run("hardware", "accelerators", "list")[1]
    assert "400 TFLOP/s" in run("hardware", "accelerators", "show", "cli-chip")[1]
    assert "on-demand" in run("hardware", "accelerators", "show", "H100")[1]
    assert "8.03 B" in run("hardware", "models", "show", "cli-model")[1]
    assert "cli-model" in run("hardware", "models", "list")[1]
    assert run("hardware", "accelerators", "add", "h100", "--peak-flops", "bf16=4e14", *memory)[0] == 2
    for kind, name in (("accelerators", "cli-chip"), ("models", "cli-model")):
        assert json.loads(run("hardware", kind, "delete", name, "-o", "json")[1]) == {"deleted": name}
        assert run("hardware", kind, "show", name)[0] == 2


def test_calibrating_on_the_command_line(run: Any, client: Client, tmp_path: Path) -> None:
    paths = []
    for number, result in enumerate(results(client, 1.3)):
        paths.append(tmp_path / f"run-{number}.json")
        paths[-1].write_text(json.dumps(result))
    failed = tmp_path / "failed.json"
    failed.write_text(json.dumps({**results(client, 1.3)[0], "completed": 0}))
    table = tmp_path / "points.csv"
    table.write_text(
        "system,model,precision,framework,tp,concurrency,isl,osl\nH100-SXM,Llama-3.1-70B,fp8,vllm,4,16,1024,512\n"
    )
    facts = ("--accelerator", "H100-SXM", "--precision", "fp8", "--name", "cli-stack")
    code, out = run("calibrate", *paths, failed, *facts, "-o", "json")
    assert code == 0
    found = json.loads(out)
    assert found["name"] == "calibrations/cli-stack@1"
    assert found["refused"] == [{"origin": "failed.json", "reason": "no request was completed"}]
    assert "cli-stack@1" in run("calibrations", "list")[1]
    assert "rows left out" in run("calibrations", "show", "cli-stack")[1]
    rows = [
        json.loads(run("estimate", "serving", table, *more, "-o", "json")[1])["rows"][0]
        for more in ((), ("--calibration", "cli-stack"))
    ]
    assert rows[1]["predicted_tpot_seconds"] / rows[0]["predicted_tpot_seconds"] == pytest.approx(1.3, rel=0.06)
    assert rows[0]["shape_distance"] == 1
    assert run("estimate", "energy", table, "--calibration", "cli-stack")[0] == 0
    assert run("calibrations", "delete", "cli-stack")[0] == 0
    assert run("estimate", "serving", table, "--calibration", "cli-stack")[0] == 2
    assert run("calibrate", table)[0] == 2


OFFERS = "accelerator,price_usd_per_hour,term,source,date\nH100,1.25,on-demand,a contract,2026-10-01\n"


def test_a_price_book_is_replaced_and_used(client: Client, run: Any, tmp_path: Path) -> None:
    path = tmp_path / "offers.csv"
    path.write_text(OFFERS)
    assert run("hardware", "prices", "replace", "ours", path)[0] == 0
    path.write_text(OFFERS.replace("1.25", "2.5"))
    code, out = run("hardware", "prices", "replace", "ours", path, "-o", "json")
    assert code == 0
    assert json.loads(out)["offers"][0]["price_usd_per_hour"] == 2.5
    path.write_text("nonsense")
    assert run("hardware", "prices", "replace", "ours", path)[0] == 2
    assert client.price_book("ours").offers[0].price_usd_per_hour == 2.5, "a refused book leaves the old one"
    assert "ours" in run("hardware", "prices", "books")[1]
    assert "a contract" in run("hardware", "prices", "show", "ours")[1]
    listed = json.loads(run("hardware", "prices", "list", "H100", "-o", "json")[1])["offers"]
    assert {offer["accelerator"] for offer in listed} == {"H100-SXM"}
    load = {"requests_per_second": 20, "input_tokens": 512, "output_tokens": 256, "accelerator": "H100"}
    plan = client.plan_deployment(model="Llama-3.1-8B", price_book="ours", **load)
    assert "a contract" in plan.provenance["price.H100-SXM"]
    table = {"accelerator": ["H100"], "model": ["Llama-3.1-8B"], "n_accel": [64], "tokens": [1e12]}
    usd = [client.estimate_training(table, price_book=book)["predicted_usd"][0] for book in ("", "ours")]
    assert usd[0] != usd[1]
    rows = [{"accelerator": "H100", "price_usd_per_hour": 3.0, "term": "owned", "source": "us", "date": "2026-01-01"}]
    assert client.replace_price_book("ours", rows, exclusive=True).exclusive
    assert run("hardware", "prices", "delete", "ours")[0] == 0
    with pytest.raises(NotFound):
        client.price_book("ours")


def test_plans_name_a_calibration(client: Client) -> None:
    facts = {"accelerator": "H100-SXM", "precision": "fp8"}
    client.calibrate(results(client, 1.4), name="plan-stack", **facts)
    load = {"requests_per_second": 200, "input_tokens": 512, "output_tokens": 256, "accelerator": "H100"}
    wishes = {"model": "Llama-3.1-70B", "precision": "fp8", **load}
    slow, plain = (client.plan_deployment(calibration=name, **wishes) for name in ("plan-stack", None))
    assert slow.provenance["calibration"] == "calibrations/plan-stack@1"
    assert slow.metrics["usd_per_million_tokens"].value > plain.metrics["usd_per_million_tokens"].value
    client.delete_calibration("plan-stack")
