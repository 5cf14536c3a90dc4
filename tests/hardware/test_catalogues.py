"""Accelerators, precisions, prices and engines by name; every row says where it comes from."""

from __future__ import annotations

import pytest

from planner.errors import InvalidInput, UnknownName, UnsupportedCombination
from planner.hardware import accelerator, accelerator_names, precision, price, prices, serving_cell
from planner.hardware.tables import table


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("h100_sxm", "H100-SXM"),
        ("H100", "H100-SXM"),
        ("NVIDIA H100-SXM5-80GB", "H100-SXM"),
        ("DGX-B200", "B200-SXM"),
        ("gb200", "GB200-NVL72"),
        ("Nvidia A100 GPU", "A100-SXM-80GB"),
        ("a100_40gb", "A100-SXM-40GB"),
        ("AMD Instinct MI300X 192GB HBM3", "MI300X"),
        ("TPU v5e", "TPU-v5e"),
        ("Habana Gaudi2", "Gaudi2"),
    ],
)
def test_names_in_measurement_tables_are_understood(spelling: str, name: str) -> None:
    assert accelerator(spelling).name == name


def test_an_unknown_accelerator_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(UnknownName) as caught:
        accelerator("H1000")
    assert "H100-SXM" in caught.value.suggestions


def test_every_row_has_a_source_and_a_date() -> None:
    assert len(accelerator_names()) == 42
    for row in table("accelerators")["accelerator"] + table("prices")["price"] + table("models")["model"]:
        assert row["source"], row
        assert row["date"], row


def test_specifications_are_those_of_the_data_sheets() -> None:
    h100 = accelerator("H100-SXM")  # NVIDIA H100 data sheet, dense
    assert h100.bf16_flops_per_second == pytest.approx(989.4e12)
    assert h100.memory_bytes_per_second == pytest.approx(3.35e12)
    assert h100.tdp_watts == 700


def test_a_precision_the_chip_lacks_is_refused_and_the_others_named() -> None:
    a100 = accelerator("A100-SXM-80GB")
    assert not precision("fp8").available_on(a100)
    assert precision("int4").available_on(a100)  # weight-only: products in 16 bits
    with pytest.raises(UnsupportedCombination) as caught:
        serving_cell("A100-SXM-80GB", "fp8")
    assert "bf16" in str(caught.value)
    assert not precision("fp4").available_on(accelerator("H100"))
    assert precision("nvfp4").available_on(accelerator("B200"))


def test_the_default_price_is_the_median_offer_and_the_callers_own_wins() -> None:
    offers = [p.price_usd_per_hour for p in prices("H100", "on-demand")]
    assert offers == sorted(offers)
    chosen = price("h100_sxm")
    assert chosen.price_usd_per_hour == offers[(len(offers) - 1) // 2]
    assert chosen.source
    assert chosen.date
    assert price("H100", price_usd_per_hour=1.23).price_usd_per_hour == 1.23
    assert price("H100", "spot").price_usd_per_hour < chosen.price_usd_per_hour


def test_without_an_offer_the_caller_must_name_a_price() -> None:
    with pytest.raises(InvalidInput) as caught:
        price("Apple-M1-Max")
    assert caught.value.metadata()["field"] == "price_usd_per_hour"
    with pytest.raises(InvalidInput):
        price("H100", price_usd_per_hour=0.0)
    with pytest.raises(InvalidInput):
        price("H100", "monthly")


def test_all_faults_of_a_layout_are_named_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        serving_cell("H100", tensor_parallel=0, pipeline_parallel=-1)
    assert {v.field for v in caught.value.violations} == {"tensor_parallel", "pipeline_parallel"}
