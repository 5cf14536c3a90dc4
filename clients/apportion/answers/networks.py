"""Interconnects and clusters, with their sources."""

from __future__ import annotations

from dataclasses import dataclass

from apportion.answers.answer import Answer


@dataclass(frozen=True)
class Interconnect(Answer):
    """What accelerators talk over; a latency that nobody measured is None."""

    name: str
    vendor: str
    kind: str
    bytes_per_second: float
    latency_seconds: float | None
    accelerators: tuple[str, ...]
    source: str
    doubt: str


@dataclass(frozen=True)
class Cluster(Answer):
    """Accelerators with the network between their nodes; a size that nobody published is None."""

    name: str
    provider: str
    accelerator: str
    accelerators_per_node_count: int
    node_count: int | None
    scaleup_interconnect: str
    scaleout_interconnect: str
    scaleout_bytes_per_second: float
    source: str
    doubt: str
