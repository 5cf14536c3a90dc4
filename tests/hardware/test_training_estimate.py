"""Tables of training runs: goodput, energy, emissions and money, by the columns that say where and how they run."""

from __future__ import annotations

import math
from typing import Any

import pytest

from planner.errors import InvalidInput
from planner.hardware import accelerator, estimate_energy, estimate_training
from planner.hardware.carbon import embodied, grid
from planner.hardware.catalogue import Catalogue
from planner.hardware.energy import training_energy_joules
from planner.hardware.goodput import best_interval_seconds, interruptions
from planner.hardware.price_books import price_book
from planner.hardware.prices import price

RUN = {
    "model": ["Llama-3-70B"],
    "tokens": [15e12],
    "accelerator": ["H100-SXM"],
    "n_accel": [16384],
    "date": ["2024-04"],
}


def one(catalogue: Catalogue | None = None, **columns: Any) -> dict[str, Any]:
    table = RUN | {name: [value] for name, value in columns.items()}
    found = estimate_training(table) if catalogue is None else estimate_training(table, catalogue)
    return {name: values[0] for name, values in found.items()}


def test_energy_emissions_and_money_follow_from_hours() -> None:
    row = one(grid_zone="USA", pue=1.1)
    hours = row["predicted_accelerator_hours"]
    assert row["predicted_wall_hours"] == pytest.approx(hours / 16384)
    joules = training_energy_joules(hours, 700.0, pue=1.1)
    assert row["predicted_energy_kwh"] == pytest.approx(joules / 3.6e6)
    share = embodied(accelerator("H100")).grams_per_hour
    grams = joules / 3.6e6 * grid("USA").grams_co2e_per_kwh + hours * share
    assert row["predicted_kgco2e"] == pytest.approx(grams / 1e3)
    offer = price("H100")
    assert row["predicted_usd"] == pytest.approx(hours * offer.price_usd_per_hour)
    assert offer.source in row["price_source"]
    assert offer.date in row["price_source"]
    for name in ("accelerator_hours", "energy_kwh", "kgco2e", "usd"):
        assert row[f"predicted_{name}_lower"] < row[f"predicted_{name}"] < row[f"predicted_{name}_upper"]


def test_columns_may_be_called_as_in_laws_and_plans() -> None:
    published = {"n_params": [7e9], "tokens": [2e12], "accelerator": ["H100-SXM"], "n_accel": [64]}
    planned = {"parameter_count": [7e9], "token_count": [2e12], "accelerator": ["H100-SXM"], "accelerator_count": [64]}
    for name in ("predicted_wall_hours", "predicted_usd", "goodput", "supported"):
        assert estimate_training(planned)[name] == estimate_training(published)[name]
    assert estimate_training(planned)["predicted_wall_hours"][0] > 0


@pytest.mark.parametrize("name", ["tokens", "flops", "n_params", "n_accel"])
def test_amounts_that_are_not_positive_get_a_reason_and_no_number(name: str) -> None:
    row = one(**{name: -3.0})
    assert not row["supported"]
    assert "= -3: " in row["unsupported_reason"]
    assert all(math.isnan(value) for column, value in row.items() if column.startswith("predicted"))


def test_what_a_table_says_of_failures_and_checkpoints_is_used() -> None:
    usual = one()
    assert usual["best_checkpoint_interval_seconds"] == pytest.approx(best_interval_seconds(16384, interruptions()))
    rare, rarely_saved = one(accelerator_hours_between_failures=1e7), one(checkpoint_interval_seconds=7200)
    assert rarely_saved["goodput"] < usual["goodput"] < rare["goodput"] < 1.0
    assert rarely_saved["predicted_accelerator_hours"] > usual["predicted_accelerator_hours"]
    work = [row["predicted_accelerator_hours"] * row["goodput"] for row in (usual, rare, rarely_saved)]
    assert work[1:] == pytest.approx([work[0]] * 2)
    with pytest.raises(InvalidInput, match="checkpoint_seconds"):
        one(checkpoint_seconds=-1)


def test_prices_are_the_callers_before_the_books() -> None:
    assert one(price_usd_per_hour=2.0)["price_source"] == "given by the caller"
    book = price_book("accelerator,price_usd_per_hour,term,source,date\nH100,1.5,on-demand,finance,2026-10-01\n", "csv")
    own = one(Catalogue(prices=book))
    assert own["predicted_usd"] == pytest.approx(1.5 * own["predicted_accelerator_hours"])
    assert "finance, 2026-10-01" in own["price_source"]
    spot = one(price_term="spot")
    assert spot["goodput"] < one()["goodput"]  # cheaper hours, more of them


def test_memory_of_a_stated_layout_is_near_the_measured() -> None:
    layout = {"n_accel": 8, "seq_len": 8192, "micro_batch": 2, "act_ckpt": "selective", "fsdp": 8}
    row = one(model="Llama-3.1-8B", accelerator="H100-96GB-500W", **layout)
    # torchtitan (BSD-3, 2025): 82.4 GiB of peak memory; its own choice of what to recompute keeps less than Megatron's
    assert row["memory_bytes_per_accelerator"] == pytest.approx(82.4 * 2**30, rel=0.25)
    assert math.isnan(one()["memory_bytes_per_accelerator"])


def test_what_is_not_known_is_blank() -> None:
    assert math.isnan(one(grid_zone="Atlantis")["predicted_kgco2e"])
    assert math.isnan(one(n_accel="")["predicted_wall_hours"])
    unpriced = one(accelerator="Huawei Ascend 910")
    assert unpriced["supported"] is False or math.isnan(unpriced["predicted_usd"])


def test_serving_emits_by_the_token() -> None:
    columns = {
        "model": ["Qwen/Qwen3-14B"], "gpu": ["H100"], "num_gpus": [1], "max_num_seqs": [32], "isl": [128],
        "avg_output_len": [700.0], "output_tok_s": [2023.2], "grams_co2e_per_kwh": [400.0], "pue": [1.2],
    }  # fmt: skip
    found = {name: values[0] for name, values in estimate_energy(columns).items()}
    kilowatt_hours = found["predicted_joules_per_token"] * 1.25 * 1.2 / 3.6e6  # node overhead, PUE
    share = embodied(accelerator("H100")).grams_per_hour / 3600 / 2023.2
    kilograms = (kilowatt_hours * 400.0 + share) * 1e-3 * 1e6
    assert found["predicted_kgco2e_per_million_tokens"] == pytest.approx(kilograms)
