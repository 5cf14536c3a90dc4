"""Tables of runs as a careful laboratory sends them: a law of known coefficients, a layout of runs, and noise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.laws import form_class, law
from planner.laws.form import Form

Array = NDArray[np.float64]
TRUTHS = {
    "kaplan": "kaplan-2020", "data-constrained": "muennighoff-2023", "joint-moe": "ludziejewski-2025",
    "training-precision": "kumar-2024",
}  # fmt: skip


@dataclass
class Table:
    """A table in the making; `columns` are what is sent, `truth` predicts the loss of a healthy run."""

    columns: dict[str, Any]
    truth: Form | None
    random: np.random.Generator
    sd: float
    real: dict[str, Array] = field(default_factory=dict)  # the runs as they were

    @property
    def rows(self) -> int:
        return len(self.columns["loss"])

    def take(self, rows: Any) -> None:
        self.columns = {k: np.asarray(v)[rows] for k, v in self.columns.items()}
        self.real = {k: v[rows] for k, v in self.real.items()}

    def measured(self, noise: Array | None = None) -> None:
        """Losses of the truth at the runs of the table, with multiplicative noise."""
        if self.truth is not None:
            luck = self.sd * self.random.standard_normal(self.rows) if noise is None else noise
            self.real = {k: self.columns[k] for k in self.truth.variables}
            self.columns["loss"] = self.truth.loss(**self.real) * np.exp(luck)


def truth_of(kind: str, random: np.random.Generator) -> Form:
    """Coefficients near published ones."""
    if kind in TRUTHS:
        entry = law(TRUTHS[kind]).form
        factor = 1.0 + 0.1 * random.uniform(-1, 1, len(entry.vector()))
        return type(entry).from_vector(entry.vector() * factor)
    floor, alpha, beta = random.uniform(1.2, 2.2), random.uniform(0.25, 0.45), random.uniform(0.25, 0.45)
    share = random.uniform(0.2, 0.7)  # of the model's term at 1e9 parameters
    if kind == "power-of-tokens":
        return form_class(kind).from_vector(np.array([floor, share * 1e10**beta, beta]))
    best_tokens = random.uniform(8, 60) * 1e9
    data = alpha * share / beta * best_tokens**beta  # equal marginal gains there
    return form_class("chinchilla").from_vector(np.array([floor, share * 1e9**alpha, data, alpha, beta]))


def healthy(kind: str, random: np.random.Generator) -> Table:
    """A table such as a careful laboratory sends."""
    truth = truth_of(kind, random)
    rows = int(random.integers(24, 90))
    if kind == "isoflop" or (kind in ("chinchilla", "envelope") and random.random() < 0.3):
        budgets = np.repeat(np.geomspace(6e18, 6e18 * 10 ** random.uniform(1.5, 3), int(random.integers(4, 8))), 9)
        best = truth.compute_optimal(budgets)[0]  # type: ignore[attr-defined]
        n = best * np.exp(np.tile(np.linspace(-1.3, 1.3, 9), len(budgets) // 9))
        d = budgets / (6 * n)
    else:
        n = np.exp(random.uniform(np.log(3e7), np.log(5e9), rows))
        d = n * np.exp(random.uniform(np.log(3), np.log(300), rows))
    columns: dict[str, Any] = {"parameter_count": n, "token_count": d}
    columns["unique_token_count"] = d / np.exp(random.uniform(0, 3.5, len(n)))
    columns["expert_count"] = 2.0 ** random.integers(0, 6, len(n))
    for k in ("weight_bits", "activation_bits", "cache_bits"):
        columns[k] = random.choice([3.0, 4.0, 6.0, 8.0, 16.0], len(n))
    wanted = {k: v for k, v in columns.items() if k in truth.variables}
    table = Table({**wanted, "loss": np.ones(len(n))}, truth, random, float(10 ** random.uniform(-3, -1.8)))
    table.measured()
    return table
