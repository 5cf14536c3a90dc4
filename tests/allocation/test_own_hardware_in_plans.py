"""Plans on a caller's own accelerators, models, prices and calibration: handed down in the question, nothing global."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from planner.allocation import plan_deployment, plan_lifecycle, plan_training
from planner.allocation.choices import HardwareChoice, Workload
from planner.allocation.problem import (
    DeploymentProblem,
    LifecycleProblem,
    TrainingProblem,
)
from planner.errors import InvalidInput, UnknownName
from planner.hardware import (
    SHIPPED,
    Catalogue,
    accelerator_from_spec,
    estimate_serving,
    model_shape_from_config,
    price_book,
    recalibrate,
)
from planner.laws import law

H100: dict[str, Any] = {
    "name": "my-chip",
    "bf16_flops_per_second": 989.4e12,
    "fp8_flops_per_second": 1979e12,
    "memory_bytes": 80e9,
    "memory_bytes_per_second": 3.35e12,
    "scaleup_bytes_per_second": 450e9,
    "scaleup_domain": 8,
    "scaleup_link": "switch",
    "scaleout_bytes_per_second": 50e9,
    "tdp_watts": 700,
    "release": "2022-09",
}
LLAMA_8B = {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
}
OFFERS = "accelerator,price_usd_per_hour,term,source,date\nmy-chip,2.0,on-demand,a contract,2026-10-01\n"
MINE = Catalogue(
    (accelerator_from_spec(H100),),
    (model_shape_from_config(LLAMA_8B, "my-model"),),
    prices=price_book(OFFERS + "H100,2.0,on-demand,a contract,2026-10-01\n", "csv"),
)
LOAD = Workload(200.0, 1024, 512, max_tpot_seconds=0.05)


def on(chip: str, catalogue: Catalogue = MINE, **more: Any) -> HardwareChoice:
    return HardwareChoice(accelerators=(chip,), catalogue=catalogue, **more)


def deployment(chip: str, model: str, catalogue: Catalogue = MINE) -> DeploymentProblem:
    return DeploymentProblem(LOAD, model, hardware=on(chip, catalogue, precisions=("fp8",)))


def slower(factor: float) -> Catalogue:
    """A stack of which H100s with Llama-3.1-8B were measured to be slower than predicted."""
    rng, rows = np.random.default_rng(1), 24
    table: dict[str, list[Any]] = {
        "system": ["H100-SXM"] * rows,
        "model": ["Llama-3.1-8B"] * rows,
        "precision": ["fp8"] * rows,
        "framework": ["vllm"] * rows,
        "tp": rng.choice([1, 2, 4], rows).tolist(),
        "isl": rng.choice([512, 1024, 4096], rows).tolist(),
        "osl": rng.choice([256, 1024], rows).tolist(),
        "concurrency": rng.choice([1, 8, 64, 256], rows).tolist(),
    }
    found = estimate_serving(table)
    times = {f"{q}_ms": [1e3 * factor * v for v in found[f"predicted_{q}_seconds"]] for q in ("tpot", "ttft")}
    return Catalogue(calibration=replace(recalibrate({**table, **times}), name="calibrations/slow@1"))


def test_the_same_facts_under_own_names_give_the_same_deployment() -> None:
    own, shipped = (
        plan_deployment(deployment(*names)) for names in (("my-chip", "my-model"), ("H100", "Llama-3.1-8B"))
    )
    assert own.decision is not None
    assert own.decision.accelerator == "my-chip"
    for metric in ("tpot_seconds", "usd_per_million_tokens", "power_watts"):
        assert own.metrics[metric].value == pytest.approx(shipped.metrics[metric].value, rel=1e-6)
    assert "a contract" in own.provenance["price.my-chip"]


def test_the_same_facts_under_an_own_name_give_the_same_training() -> None:
    def plan(chip: str) -> Any:
        return plan_training(TrainingProblem(law("besiroglu-2024"), {"training_usd": 1e6}, hardware=on(chip)))

    own, shipped = plan("my-chip"), plan("H100")
    assert own.metrics["loss"].value == pytest.approx(shipped.metrics["loss"].value, rel=1e-6)


def test_own_names_are_unknown_without_their_catalogue() -> None:
    with pytest.raises(UnknownName, match="my-chip"):
        plan_deployment(deployment("my-chip", "Llama-3.1-8B", SHIPPED))
    with pytest.raises(UnknownName, match="my-model"):
        plan_deployment(deployment("H100", "my-model", SHIPPED))


def test_an_own_accelerator_without_a_price_needs_one() -> None:
    unpriced = Catalogue(MINE.accelerators, MINE.models)
    with pytest.raises(InvalidInput, match="my-chip"):
        plan_deployment(deployment("my-chip", "my-model", unpriced))
    priced = on("my-chip", unpriced, price_usd_per_hour={"my-chip": 2.0})
    assert plan_deployment(DeploymentProblem(LOAD, "my-model", hardware=priced)).decision is not None


def test_a_slower_stack_needs_more_and_says_what_was_measured() -> None:
    catalogue = slower(1.5)
    slow, plain = (plan_deployment(deployment("H100", "Llama-3.1-8B", c)) for c in (catalogue, SHIPPED))
    dearer = slow.metrics["usd_per_million_tokens"].value / plain.metrics["usd_per_million_tokens"].value
    assert 1.2 < dearer < 1.9
    assert slow.provenance["calibration"] == "calibrations/slow@1"
    tpot = [p.metrics["tpot_seconds"] for p in (slow, plain)]
    assert tpot[0].upper / tpot[0].lower < tpot[1].upper / tpot[1].lower
    assert not any(w.code == "CALIBRATED_ELSEWHERE" for w in slow.warnings)
    elsewhere = plan_deployment(deployment("H200", "Llama-3.1-8B", catalogue))
    assert any(w.code == "CALIBRATED_ELSEWHERE" for w in elsewhere.warnings)


def test_a_slower_stack_makes_a_lifetime_dearer() -> None:
    def plan(catalogue: Catalogue) -> Any:
        choice = on("H100", catalogue)
        hardware = {"training_hardware": choice, "serving_hardware": choice}
        return plan_lifecycle(
            LifecycleProblem(law("besiroglu-2024"), 1e12, {"loss": 2.1}, workload=replace(LOAD), **hardware)
        )

    slow, plain = plan(slower(1.5)), plan(SHIPPED)
    assert slow.metrics["lifetime_usd"].value > plain.metrics["lifetime_usd"].value
    assert slow.provenance["calibration"] == "calibrations/slow@1"


def test_a_planned_model_says_how_far_it_is_from_known_ones_and_is_less_certain() -> None:
    def plan(**model: Any) -> Any:
        return plan_deployment(DeploymentProblem(LOAD, hardware=on("H100", SHIPPED, precisions=("fp8",)), **model))

    planned, known = plan(parameter_count=8e9), plan(model="Llama-3.1-8B")
    spread = [p.metrics["tpot_seconds"].upper / p.metrics["tpot_seconds"].lower for p in (planned, known)]
    assert spread[0] > spread[1]
    far = next(w for w in plan(parameter_count=1e7).warnings if w.code == "HYPOTHETICAL_SHAPE")
    assert "from the nearest known one" in far.sentence


def test_a_question_with_its_catalogue_travels_between_processes() -> None:
    problem = deployment("my-chip", "my-model")
    there = plan_deployment(pickle.loads(pickle.dumps(problem)))
    assert there.metrics["tpot_seconds"] == plan_deployment(problem).metrics["tpot_seconds"]
