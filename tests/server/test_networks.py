"""Interconnects and clusters over the wire: facts with their sources, in pages, and under names that may be wrong."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from apportion.v1 import hardware_service_pb2 as wire
from planner.hardware import cluster_names, interconnect_names


def walked(list_: Any, kind: Any, field: str) -> list[str]:
    found, token = [], ""
    while True:
        answer = list_(kind(page_size=7, page_token=token))
        found += [entry.name for entry in getattr(answer, field)]
        token = answer.next_page_token
        if not token:
            return found


def test_pages_visit_every_interconnect_and_every_cluster_once(server: Any) -> None:
    interconnects = walked(server.hardware.ListInterconnects, wire.ListInterconnectsRequest, "interconnects")
    assert interconnects == [f"interconnects/{name}" for name in sorted(interconnect_names())]
    clusters = walked(server.hardware.ListClusters, wire.ListClustersRequest, "clusters")
    assert clusters == [f"clusters/{name}" for name in sorted(cluster_names())]


def test_what_nobody_knows_is_unset(server: Any) -> None:
    fabric = server.hardware.GetInterconnect(wire.GetInterconnectRequest(name="interconnects/ndr"))
    assert fabric.name == "interconnects/InfiniBand-NDR"
    assert fabric.bytes_per_second == 5e10
    assert not fabric.HasField("latency_seconds")
    offer = server.hardware.GetCluster(wire.GetClusterRequest(name="clusters/p5.48xlarge"))
    assert offer.accelerator == "accelerators/H100-SXM"
    assert not offer.HasField("node_count")
    built = server.hardware.GetCluster(wire.GetClusterRequest(name="clusters/meta-24k-roce"))
    assert built.node_count * built.accelerators_per_node_count == 24_576
    assert built.source
    assert built.doubt


def test_a_wrong_name_is_not_found_and_the_nearest_are_named(server: Any) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        server.hardware.GetCluster(wire.GetClusterRequest(name="clusters/DGX-H100-SuperPOT"))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    assert "DGX-H100-SuperPOD" in caught.value.details()
