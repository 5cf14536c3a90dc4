"""Hex: Elo in compute and size of the board, and compute at test time in place of compute in training.

Jones 2021 (2104.03113): an incline of 510 Elo per decade of compute that ends at a plateau, both lower on larger
boards; and for the same Elo, ten times the training replaces about fifteen times the search.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, scale

JONES = "Jones 2021, Scaling Scaling Laws with Board Games, arXiv 2104.03113"


@dataclass(frozen=True)
class BoardGameElo(Form):
    """Elo of a Hex agent: a plateau, and an incline in compute up to a knee; lower on larger boards."""

    plateau: Coef
    plateau_per_cell: Coef
    incline: Coef
    knee: Coef
    knee_per_cell: Coef

    form_name: ClassVar[str] = "board-game-elo"
    variables: ClassVar[tuple[str, ...]] = ("training_flops", "board_size")
    citation: ClassVar[str] = JONES
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    observed: ClassVar[str] = "signed_metric"
    larger_is_better: ClassVar[bool] = True
    # For a given knee the Elo is linear in the others, so a fit searches two coefficients on a grid.
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("plateau", "Elo", (10.0, 2000.0)),
        scale("plateau_per_cell", "Elo per cell", (10.0, 1000.0)),
        scale("incline", "Elo per decade", (100.0, 1000.0)),
        Coefficient("knee", -50.0, 50.0, (0.0, 24.0), "decades of FLOP"),
        Coefficient("knee_per_cell", 0.0, 10.0, (0.0, 2.0), "decades of FLOP per cell"),
    )

    def loss(self, **variables: Any) -> Any:
        """plateau - plateau_per_cell s - incline max(0, knee + knee_per_cell s - log10 C); s = board_size. Elo."""
        c, size = self.read(variables)
        missing_decades = np.maximum(0.0, self.knee + self.knee_per_cell * size - np.log10(c))
        return self.plateau - self.plateau_per_cell * size - self.incline * missing_decades


@dataclass(frozen=True)
class SearchForTraining(Form):
    """Compute at test time that reaches an Elo, by compute in training: a factor of one buys a factor of the other."""

    exchange: Coef
    per_elo: Coef
    offset: Coef

    form_name: ClassVar[str] = "search-for-training"
    variables: ClassVar[tuple[str, ...]] = ("training_flops", "elo")
    citation: ClassVar[str] = JONES
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    observed: ClassVar[str] = "metric"
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        Coefficient("exchange", -10.0, 10.0, (-3.0, 0.0), "decades per decade"),
        Coefficient("per_elo", -1.0, 1.0, (0.0, 0.02), "decades per Elo"),
        Coefficient("offset", -100.0, 100.0, (0.0, 40.0), "decades"),
    )

    def loss(self, **variables: Any) -> Any:
        """10^(exchange log10 C + per_elo Elo + offset); C = training_flops. FLOP at test time."""
        c, elo = self.read(variables)
        return 10.0 ** (self.exchange * np.log10(c) + self.per_elo * elo + self.offset)
