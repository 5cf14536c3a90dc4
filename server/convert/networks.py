"""Networks: the planner's interconnects and clusters as messages."""

from __future__ import annotations

from apportion.v1 import network_pb2
from planner.hardware import Cluster, Interconnect
from server import names


def to_interconnect(entry: Interconnect) -> network_pb2.Interconnect:
    """One interconnect; a latency that nobody measured is unset."""
    return network_pb2.Interconnect(
        name=names.full(names.INTERCONNECTS, entry.name),
        vendor=entry.vendor,
        kind=entry.kind,
        bytes_per_second=entry.bytes_per_second,
        latency_seconds=entry.latency_seconds,
        accelerators=[names.full(names.ACCELERATORS, chip) for chip in entry.accelerators],
        source=f"{entry.source} ({entry.date})",
        doubt=entry.doubt,
    )


def to_cluster(entry: Cluster) -> network_pb2.Cluster:
    """One cluster; a size that nobody published is unset."""
    return network_pb2.Cluster(
        name=names.full(names.CLUSTERS, entry.name),
        provider=entry.provider,
        accelerator=names.full(names.ACCELERATORS, entry.accelerator),
        accelerators_per_node_count=entry.accelerators_per_node,
        node_count=entry.nodes,
        scaleup_interconnect=names.full(names.INTERCONNECTS, entry.scaleup_interconnect),
        scaleout_interconnect=names.full(names.INTERCONNECTS, entry.scaleout_interconnect),
        scaleout_bytes_per_second=entry.scaleout_bytes_per_second,
        source=f"{entry.source} ({entry.date})",
        doubt=entry.doubt,
    )
