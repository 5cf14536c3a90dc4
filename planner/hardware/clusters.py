"""Clusters by name or alias: accelerators as they are sold, rented or were built, with the network between nodes.

The same accelerator trains a large model well on one network and badly on another: an H100 has 50 GB/s between nodes
on InfiniBand and 12.5 in a cheaper offer. A table may therefore name a cluster instead of an accelerator
(`placements.py`). Sources, dates and doubts stand in each row of `clusters.toml`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from planner.errors import UnknownName
from planner.hardware.tables import key, spellings, table


@dataclass(frozen=True)
class Cluster:
    """One row of the table.

    accelerators_per_node: of one server; nodes: of the published system or the largest one, None where nobody says;
    scaleout_bytes_per_second: one way, of one accelerator; the interconnects are names of `interconnects.toml`, empty
    where unknown.
    """

    name: str
    accelerator: str
    accelerators_per_node: int
    scaleout_bytes_per_second: float
    nodes: int | None = None
    scaleup_interconnect: str = ""
    scaleout_interconnect: str = ""
    provider: str = ""
    source: str = ""
    date: str = ""
    doubt: str = ""

    @property
    def accelerators(self) -> float:
        """How many there are; infinite where the number of nodes is not known."""
        return float("inf") if self.nodes is None else float(self.nodes * self.accelerators_per_node)


@cache
def _catalogue() -> dict[str, Cluster]:
    return {
        row["name"]: Cluster(
            name=row["name"],
            accelerator=row["accelerator"],
            accelerators_per_node=row["accelerators_per_node"],
            scaleout_bytes_per_second=row["scaleout_bytes_per_second"],
            nodes=row.get("nodes"),
            scaleup_interconnect=row["scaleup_interconnect"],
            scaleout_interconnect=row["scaleout_interconnect"],
            provider=row["provider"],
            source=row["source"],
            date=str(row["date"]),
            doubt=row.get("doubt", ""),
        )
        for row in table("clusters")["cluster"]
    }


@cache
def cluster(name: str) -> Cluster:
    """The cluster of that name or alias, without regard to case and punctuation.

    Raises:
        UnknownName: no cluster is called so; the nearest names are in the message.
    """
    found = spellings("clusters", "cluster").get(key(name))
    if found is None:
        raise UnknownName("cluster", name, _catalogue())
    return _catalogue()[found]


def cluster_names() -> tuple[str, ...]:
    """All names, in the order of the table."""
    return tuple(_catalogue())
