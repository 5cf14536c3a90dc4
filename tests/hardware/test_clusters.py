"""Clusters: what they are made of is known, and the network between their nodes decides what a large run takes."""

from __future__ import annotations

import pickle
from itertools import pairwise
from typing import Any

import pytest

from planner.errors import InvalidInput, UnknownName
from planner.hardware import (
    SHIPPED,
    Catalogue,
    accelerator,
    accelerator_from_spec,
    cluster,
    cluster_from_spec,
    cluster_names,
    estimate_serving,
    estimate_training,
    interconnect,
    interconnect_from_spec,
    interconnect_names,
)
from planner.hardware.interconnects import FABRIC
from planner.hardware.tables import key, table

RUN = {"model": "Llama-3-70B", "tokens": 15e12, "n_accel": 4096, "date": "2024-04", "global_batch_seqs": 2048}
SERVED = {"model": "Llama-3.1-405B", "precision": "fp8", "isl": 1000, "osl": 200, "concurrency": 16}
MINE: dict[str, Any] = {
    "name": "my-cluster",
    "accelerator": "H100-SXM",
    "accelerators_per_node": 8,
    "nodes": 64,
    "scaleout_interconnect": "RoCE-100",
    "scaleout_bytes_per_second": 1.25e10,
}
SPEED = "predicted_tokens_per_second_per_accelerator"


def trained(catalogue: Catalogue = SHIPPED, **columns: Any) -> dict[str, Any]:
    found = estimate_training({n: [v] for n, v in {**RUN, **columns}.items()}, catalogue)
    return {name: values[0] for name, values in found.items()}


def served(**columns: Any) -> dict[str, Any]:
    found = estimate_serving({n: [v] for n, v in {**SERVED, **columns}.items()})
    return {name: values[0] for name, values in found.items()}


@pytest.mark.parametrize(
    ("spelling", "name"),
    [("p5.48xlarge", "AWS-p5"), ("dgx superpod h100", "DGX-H100-SuperPOD"), ("meta-24k-roce", "Meta-24k-RoCE")],
)
def test_names_and_aliases_are_understood(spelling: str, name: str) -> None:
    assert cluster(spelling).name == name


def test_an_unknown_cluster_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(UnknownName) as caught:
        cluster("DGX-H100-SuperPOT")
    assert caught.value.suggestions[0] == "DGX-H100-SuperPOD"


@pytest.mark.parametrize("name", cluster_names())
def test_a_cluster_is_made_of_what_the_catalogue_knows(name: str) -> None:
    built = cluster(name)
    assert built.source
    assert built.date
    assert accelerator(built.accelerator).name == built.accelerator
    assert built.accelerator in interconnect(built.scaleup_interconnect).accelerators
    between = interconnect(built.scaleout_interconnect)
    assert between.kind == FABRIC
    assert 0.1 <= built.scaleout_bytes_per_second / between.bytes_per_second <= 2.0


def test_no_two_clusters_share_a_name() -> None:
    rows = table("clusters")["cluster"]
    spelt = [name for row in rows for name in {key(n) for n in (row["name"], *row["aliases"])}]
    assert len(spelt) == len(set(spelt))


def test_sizes_are_the_published_ones() -> None:
    assert cluster("Meta-24k-RoCE").accelerators == 24_576
    assert cluster("DeepSeek-H800").accelerators == 2_048
    assert cluster("TPU-v5p-pod").accelerators == 8_960
    assert cluster("GB200-NVL72-rack").accelerators == 72
    assert cluster("AWS-p5").accelerators == float("inf")


def test_a_cluster_says_its_accelerator_and_its_network() -> None:
    like = trained(cluster="DGX-H100-SuperPOD", n_accel=1008)
    assert like[SPEED] == pytest.approx(trained(accelerator="H100-SXM", n_accel=1008)[SPEED])
    assert trained(cluster="DGX-H100-SuperPOD", accelerator="", n_accel=1008)[SPEED] == like[SPEED]
    mega = trained(cluster="GCP-a3-mega")
    assert mega[SPEED] == pytest.approx(trained(accelerator="H100", scaleout_interconnect="RoCE-200")[SPEED])


@pytest.mark.parametrize("model", ["Llama-3-8B", "Llama-3-70B", "Mixtral-8x7B"])
@pytest.mark.parametrize("layout", [{}, {"tp": 8, "pp": 4}, {"sharding": "full", "micro_batch": 1}])
def test_a_slower_fabric_never_speeds_a_large_run_up(model: str, layout: dict[str, Any]) -> None:
    fabrics = [interconnect(n) for n in interconnect_names() if interconnect(n).kind == FABRIC]
    fabrics.sort(key=lambda fabric: fabric.bytes_per_second)
    common = {"accelerator": "H100", "model": model, **layout}
    speeds = [trained(scaleout_interconnect=fabric.name, **common)[SPEED] for fabric in fabrics]
    assert all(slower <= faster * (1 + 1e-9) for slower, faster in pairwise(speeds))
    assert speeds[0] < speeds[-1]


def test_inside_one_domain_the_fabric_does_not_matter() -> None:
    one = {"accelerator": "H100", "n_accel": 8, "model": "Llama-3-8B"}
    assert trained(**one, scaleout_interconnect="EFA-v1")[SPEED] == trained(**one)[SPEED]


def test_a_row_that_contradicts_itself_cannot_be_run_and_says_why() -> None:
    for columns, words in [
        ({"cluster": "DGX-H100-SuperPOT"}, "DGX-H100-SuperPOD"),
        ({"accelerator": "H100", "scaleout_interconnect": "InfiniBand-NDX"}, "InfiniBand-NDR"),
        ({"accelerator": "A100", "cluster": "DGX-H100-SuperPOD"}, "has H100-SXM, not A100-SXM-80GB"),
        ({"accelerator": "H100", "scaleout_interconnect": "NVLink-4"}, "links a scale-up domain"),
        ({"cluster": "DGX-H100-SuperPOD"}, "has 1016 accelerators, not 4096"),
    ]:
        row = trained(**columns)
        assert not row["supported"]
        assert words in row["unsupported_reason"]
        assert row[SPEED] != row[SPEED]
    assert "has 72 accelerators" in served(cluster="GB200-NVL72-rack", n_gpus=144, tp=144)["unsupported_reason"]


def test_a_run_of_unknown_size_is_no_larger_than_its_cluster() -> None:
    pod = trained(cluster="TPU-v5e-pod", n_accel="", model="Llama-3-8B")
    assert pod["supported"]
    assert pod[SPEED] == pytest.approx(trained(cluster="TPU-v5e-pod", n_accel=256, model="Llama-3-8B")[SPEED])


def test_serving_across_nodes_pays_for_the_network_between_them() -> None:
    across = {"system": "H100", "n_gpus": 16, "tp": 16}
    slow, fast = (served(**across, scaleout_interconnect=n) for n in ("RoCE-100", "RoCE-800"))
    assert slow["predicted_tpot_seconds"] > fast["predicted_tpot_seconds"]
    within = {"n_gpus": 8, "tp": 8}
    on_cluster, named = served(**within, cluster="AWS-p5en"), served(**within, system="H200")
    assert on_cluster["predicted_tpot_seconds"] == named["predicted_tpot_seconds"]


def test_own_clusters_are_built_from_own_parts() -> None:
    chip = accelerator_from_spec(
        {"name": "my-chip", "bf16_flops_per_second": 1e15, "memory_bytes": 1e11, "memory_bytes_per_second": 4e12}
    )
    fabric = interconnect_from_spec({"name": "my-fabric", "kind": "fabric", "bytes_per_second": 1e10})
    spec = MINE | {"accelerator": "my-chip", "scaleout_interconnect": "my-fabric"}
    catalogue = Catalogue((chip,), interconnects=(fabric,), clusters=(cluster_from_spec(spec),))
    assert catalogue.cluster_names() == (*cluster_names(), "my-cluster")
    assert pickle.loads(pickle.dumps(catalogue)).cluster("My Cluster") == catalogue.cluster("my-cluster")
    row = trained(catalogue, cluster="my-cluster", n_accel=512, price_usd_per_hour=2)
    assert row["supported"]


def test_an_own_cluster_of_unknown_parts_or_with_a_taken_name_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        Catalogue(clusters=(cluster_from_spec(MINE | {"accelerator": "H1000", "scaleup_interconnect": "rope"}),))
    assert [v.value for v in caught.value.violations] == ["H1000", "rope"]
    with pytest.raises(InvalidInput, match="clusters"):
        Catalogue(clusters=(cluster_from_spec(MINE | {"name": "aws p5"}),))


def test_all_that_is_wrong_with_a_specification_is_named_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        cluster_from_spec({"name": "x", "accelerators_per_node": 2.5, "nodes": 0, "racks": 3})
    fields = {v.field for v in caught.value.violations}
    assert fields == {"accelerator", "scaleout_bytes_per_second", "accelerators_per_node", "nodes", "racks"}
