"""A caller's own facts beside the shipped ones: found by name, never instead of them, and fit to travel."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from planner.errors import InvalidInput, UnknownName
from planner.hardware import (
    SHIPPED,
    Catalogue,
    accelerator,
    accelerator_from_spec,
    estimate_energy,
    estimate_serving,
    estimate_training,
    model_shape_from_config,
    price,
    price_book,
)

H100: dict[str, Any] = {  # the facts of a shipped accelerator under another name
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
MINE = Catalogue((accelerator_from_spec(H100),), (model_shape_from_config(LLAMA_8B, "my-model"),))


def serving(chip: str, model: str) -> dict[str, list[Any]]:
    return {
        "system": [chip],
        "model": [model],
        "precision": ["fp8"],
        "tp": [2],
        "concurrency": [16],
        "isl": [1024],
        "osl": [512],
    }


def test_own_entries_are_found_without_regard_to_case_and_beside_the_shipped_ones() -> None:
    assert MINE.accelerator("My_Chip").memory_bytes == 80e9
    assert MINE.accelerator("h100_sxm") == accelerator("H100")
    assert MINE.model_shape("MY-MODEL").layers == 32
    assert {*SHIPPED.accelerator_names()} < {*MINE.accelerator_names()}


def test_an_unknown_name_suggests_own_ones_too() -> None:
    with pytest.raises(UnknownName) as refused:
        MINE.accelerator("my-chop")
    assert refused.value.suggestions[0] == "my-chip"
    with pytest.raises(UnknownName) as refused:
        MINE.model_shape("my-modell")
    assert refused.value.suggestions[0] == "my-model"


def test_own_names_shadow_nothing() -> None:
    with pytest.raises(InvalidInput, match="h100"):
        Catalogue((accelerator_from_spec({**H100, "name": "h100"}),))
    with pytest.raises(InvalidInput, match="my-chip"):
        Catalogue((accelerator_from_spec(H100), accelerator_from_spec({**H100, "name": "My Chip"})))
    with pytest.raises(InvalidInput, match="Llama"):
        Catalogue((), (model_shape_from_config(LLAMA_8B, "Llama-3.1-8B"),))


def test_an_own_accelerator_costs_what_the_caller_or_the_book_says() -> None:
    mine, h100 = MINE.accelerator("my-chip"), MINE.accelerator("H100")
    assert MINE.price(h100, "on-demand") == price("H100")
    with pytest.raises(InvalidInput, match="my-chip"):
        MINE.price(mine, "on-demand")
    assert MINE.price(mine, "on-demand", 1.5).price_usd_per_hour == 1.5
    offers = "accelerator,price_usd_per_hour,term,source,date\nMy-Chip,2.5,owned,finance,2026-10-01"
    book = Catalogue(MINE.accelerators, prices=price_book(offers, "csv"))
    assert book.price(mine, "owned").price_usd_per_hour == 2.5
    assert book.price(h100, "on-demand") == price("H100"), "the shipped offers are underneath"
    with pytest.raises(InvalidInput, match="owned"):
        book.price(mine, "spot")


def test_a_catalogue_travels_between_processes_and_keys_a_cache() -> None:
    copy = pickle.loads(pickle.dumps(MINE))
    assert copy == MINE
    assert hash(copy) == hash(MINE)
    assert estimate_serving(serving("my-chip", "my-model"), copy) == estimate_serving(
        serving("my-chip", "my-model"), MINE
    )


@pytest.mark.parametrize("estimate", [estimate_serving, estimate_energy])
def test_the_same_facts_under_another_name_give_the_same_serving(estimate: Any) -> None:
    own, shipped = estimate(serving("my-chip", "my-model"), MINE), estimate(serving("H100-SXM", "Llama-3.1-8B"))
    assert own.keys() == shipped.keys()
    assert own["supported"] == [True]
    for name in (n for n in own if n.startswith("predicted_")):
        assert own[name] == pytest.approx(shipped[name], rel=1e-6)


def test_the_same_facts_under_another_name_give_the_same_training() -> None:
    def run(chip: str, model: str) -> dict[str, list[Any]]:
        return {"accelerator": [chip], "model": [model], "n_accel": [512], "tokens": [1e12], "date": ["2024-06"]}

    own, shipped = estimate_training(run("my-chip", "my-model"), MINE), estimate_training(run("H100", "Llama-3.1-8B"))
    assert own["predicted_accelerator_hours"] == pytest.approx(shipped["predicted_accelerator_hours"], rel=1e-6)


def test_without_the_catalogue_own_names_are_not_supported() -> None:
    assert estimate_serving(serving("my-chip", "my-model"))["supported"] == [False]
