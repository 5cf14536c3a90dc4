"""Fronts: the plans that nothing dominates, as a table or as a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apportion.answers.answer import Answer, PlanWarning
from apportion.answers.plans import Conflict, Plan, Relaxation, SearchEffort
from apportion.front_page import front_page
from apportion.tables import Table


@dataclass(frozen=True)
class Front(Answer):
    """The plans that nothing dominates."""

    objectives: tuple[str, ...]
    points: tuple[Plan, ...]
    hypervolume_gap: float
    warnings: tuple[PlanWarning, ...]
    search: SearchEffort | None
    provenance: Mapping[str, str]
    outcome: str
    conflicts: tuple[Conflict, ...]
    relaxation: tuple[Relaxation, ...]

    def to_table(self) -> Table:
        """The points as a table: decision values and metrics, one row a point."""
        return Table.read([point.row() for point in self.points], "front")

    def to_frame(self) -> Any:
        """The points as a pandas DataFrame, one row a point."""
        return self.to_table().to_frame()

    def to_html(self) -> str:
        """A page with the picture of the front, complete in itself (needs the extra `charts`)."""
        return front_page(self)
