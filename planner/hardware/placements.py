"""What a row of a table runs on: a named accelerator, or that of a named cluster, with the network that it has there.

`cluster` says the accelerator where the row's own cell is blank, and the speed between its nodes;
`scaleout_interconnect` says that speed alone and overrules the cluster. A row that contradicts itself, or wants more
accelerators than the cluster has, cannot be run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from planner.errors import PlanningError
from planner.hardware.accelerators import Accelerator
from planner.hardware.catalogue import Catalogue
from planner.hardware.columns import Columns, text
from planner.hardware.interconnects import FABRIC

PLACEMENT = ("cluster", "scaleout_interconnect")


@dataclass(frozen=True)
class Placement:
    """Names as a row gives them; empty where it does not."""

    accelerator: str
    cluster: str = ""
    scaleout_interconnect: str = ""

    def chip(self, catalogue: Catalogue) -> Accelerator:
        """The accelerator, with the scale-out speed of its place.

        Raises:
            UnknownName: no accelerator, cluster or interconnect of that name.
            PlanningError: the cluster has another accelerator, or the interconnect does not leave a domain.
        """
        chip = catalogue.accelerator(self.accelerator or self._clusters_accelerator(catalogue))
        if self.cluster:
            there = catalogue.cluster(self.cluster)
            if catalogue.accelerator(there.accelerator).name != chip.name:
                raise PlanningError(f"cluster = {there.name}: has {there.accelerator}, not {chip.name}")
            chip = replace(chip, scaleout_bytes_per_second=there.scaleout_bytes_per_second)
        if self.scaleout_interconnect:
            between = catalogue.interconnect(self.scaleout_interconnect)
            if between.kind != FABRIC:
                raise PlanningError(f"scaleout_interconnect = {between.name}: links a scale-up domain ({between.kind})")
            chip = replace(chip, scaleout_bytes_per_second=between.bytes_per_second)
        return chip

    def accelerator_limit(self, catalogue: Catalogue) -> float:
        """How many accelerators there are; infinite outside a cluster, and in one of unknown size."""
        return catalogue.cluster(self.cluster).accelerators if self.cluster else float("inf")

    def require_room(self, accelerator_count: float, catalogue: Catalogue) -> None:
        """Raises PlanningError: the cluster has fewer accelerators."""
        limit = self.accelerator_limit(catalogue)
        if accelerator_count > limit:
            raise PlanningError(f"cluster = {self.cluster}: has {limit:g} accelerators, not {accelerator_count:g}")

    def _clusters_accelerator(self, catalogue: Catalogue) -> str:
        return catalogue.cluster(self.cluster).accelerator if self.cluster else ""


def placements(columns: Columns, accelerator_columns: tuple[str, ...]) -> list[Placement]:
    """The placement of every row; of several columns of accelerators the first that the table has counts."""
    named = next((n for n in accelerator_columns if n in columns), accelerator_columns[0])
    return list(map(Placement, *(text(columns, n) for n in (named, *PLACEMENT))))
