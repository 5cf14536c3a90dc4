"""Interconnects: consistent with the accelerators that they link and with what was measured on them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from planner.errors import InvalidInput, UnknownName
from planner.hardware import (
    Catalogue,
    accelerator,
    accelerator_names,
    interconnect,
    interconnect_from_spec,
    interconnect_names,
)
from planner.hardware.interconnects import FABRIC, KINDS
from planner.hardware.tables import key, table

EVERY = [interconnect(name) for name in interconnect_names()]
LINKED = [(i.name, chip) for i in EVERY for chip in i.accelerators]
SYSTEMS = {  # of the table of measured collectives
    "a100_sxm": "NVLink-3",
    "h100_sxm": "NVLink-4",
    "b200_sxm": "NVLink-5",
    "gb200": "NVLink-5-NVL72",
    "l40s": "PCIe-4-x16",
    "rtx_pro_6000_server": "PCIe-5-x16",
}
MINE = {"name": "my-fabric", "kind": "fabric", "bytes_per_second": 2e10}


@pytest.mark.parametrize(
    ("spelling", "name"),
    [("nvlink 4", "NVLink-4"), ("NDR", "InfiniBand-NDR"), ("400gbe", "RoCE-400"), ("PCIe Gen5", "PCIe-5-x16")],
)
def test_names_and_aliases_are_understood(spelling: str, name: str) -> None:
    assert interconnect(spelling).name == name


def test_an_unknown_interconnect_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(UnknownName) as caught:
        interconnect("NVLink-9")
    assert any(name.startswith("NVLink") for name in caught.value.suggestions)


def test_every_row_has_a_kind_a_source_and_a_date_and_no_two_share_a_name() -> None:
    rows = table("interconnects")["interconnect"]
    for row in rows:
        assert row["kind"] in KINDS, row
        assert row["source"], row
        assert row["date"], row
        assert row["source"] != "-" or row["doubt"], row
    spelt = [key(name) for row in rows for name in {key(n) for n in (row["name"], *row["aliases"])}]
    assert len(spelt) == len(set(spelt))


@pytest.mark.parametrize(("name", "chip"), LINKED)
def test_an_accelerators_scale_up_speed_is_that_of_its_interconnect(name: str, chip: str) -> None:
    assert accelerator(chip).name == chip
    assert accelerator(chip).scaleup_bytes_per_second == pytest.approx(interconnect(name).bytes_per_second, rel=0.01)
    assert accelerator(chip).scaleup_link == interconnect(name).kind


def test_every_accelerator_with_a_known_link_is_named_once() -> None:
    named = [chip for _, chip in LINKED]
    rows = {row["name"]: row for row in table("accelerators")["accelerator"]}
    linked = [n for n in accelerator_names() if rows[n]["scaleup_domain"] > 1 and "scaleup_bytes_per_second" in rows[n]]
    assert sorted(named) == sorted(linked)


def test_fabrics_link_no_domain() -> None:
    assert not any(i.accelerators for i in EVERY if i.kind == FABRIC)


def test_latencies_are_the_shortest_measured_all_reduces_of_two(shared_data: Path) -> None:
    shortest: dict[str, float] = {}
    with (shared_data / "hardware/micro_collectives.csv").open() as file:
        for row in csv.DictReader(file):
            if row["op"] == "all_reduce" and row["n_gpus"] == "2" and row["system"] in SYSTEMS:
                name = SYSTEMS[row["system"]]
                shortest[name] = min(shortest.get(name, 1.0), float(row["latency_us"]) * 1e-6)
    assert {i.name: i.latency_seconds for i in EVERY if i.latency_seconds} == pytest.approx(shortest, abs=0.06e-6)


def test_an_own_interconnect_is_found_beside_the_shipped_ones() -> None:
    catalogue = Catalogue(interconnects=(interconnect_from_spec(MINE),))
    assert catalogue.interconnect("My Fabric").bytes_per_second == 2e10
    assert catalogue.interconnect("NDR").name == "InfiniBand-NDR"
    assert catalogue.interconnect_names() == (*interconnect_names(), "my-fabric")
    with pytest.raises(UnknownName) as caught:
        catalogue.interconnect("my-fabrik")
    assert "my-fabric" in caught.value.suggestions


def test_an_own_name_that_is_taken_is_refused() -> None:
    for taken in ("ndr", "nvlink_4"):
        with pytest.raises(InvalidInput, match="interconnects"):
            Catalogue(interconnects=(interconnect_from_spec(MINE | {"name": taken}),))


def test_all_that_is_wrong_with_a_specification_is_named_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        interconnect_from_spec({"kind": "string", "bytes_per_second": -1, "latency_seconds": "short", "colour": "red"})
    fields = {v.field for v in caught.value.violations}
    assert fields == {"name", "kind", "bytes_per_second", "latency_seconds", "colour"}
