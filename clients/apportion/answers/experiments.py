"""Designs of experiments: pilot runs worth buying."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apportion.answers.answer import Answer, Estimate
from apportion.tables import Table


@dataclass(frozen=True)
class ExperimentDesign(Answer):
    """Pilot runs worth buying for a decision, and the regret they are expected to leave."""

    runs: Table
    run_count: int
    cost_flops: float
    before_loss: float
    after_loss: float
    bound_loss: float | None
    before_flops: float | None
    after_flops: float | None
    decision: Mapping[str, Estimate]
    form: str

    def to_dict(self) -> dict[str, Any]:
        """The answer as JSON-ready mappings; `runs` as `{"rows": [{column: cell}, …]}`."""
        return {**super().to_dict(), "runs": self.runs.to_dict()}
