"""Reinforcement learning: intrinsic performance, over-optimised rewards, saturating curves, and board games.

Hilton et al. 2023 (2301.13442): I^-β = (N_c/N)^α_N + (E_c/E)^α_E with β = α_N α_E/(α_N + α_E), so that I is the least
compute N E up to a constant; rises as the posynomial falls. Gao et al. 2022 (2210.10760): gold reward d (α - β d) of
best-of-n and d (α - β ln d) of RL. Khatri et al. 2025 (2510.13786, ScaleRL): a logistic function of log compute.
Jones 2021 (2104.03113): Hex.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, exponent, scale

GAO = "Gao et al. 2022, Scaling Laws for Reward Model Overoptimization, arXiv 2210.10760"
JONES = "Jones 2021, Scaling Scaling Laws with Board Games, arXiv 2104.03113"


@dataclass(frozen=True)
class IntrinsicPerformance(Form):
    """Compute-equivalent performance of a policy of N parameters after E interactions."""

    N_c: Coef
    E_c: Coef
    alpha_N: Coef
    alpha_E: Coef

    form_name: ClassVar[str] = "intrinsic-performance"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "interaction_count")
    citation: ClassVar[str] = (
        "Hilton et al. 2023, Scaling Laws for Single-Agent Reinforcement Learning, arXiv 2301.13442"
    )
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.MONOTONE_TRANSFORM
    observed: ClassVar[str] = "metric"
    larger_is_better: ClassVar[bool] = True
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("N_c", "parameters × intrinsic performance^(-beta/alpha_N)", (1e-3, 1e6), linear=False),
        scale("E_c", "interactions × intrinsic performance^(-beta/alpha_E)", (1e-3, 1e6), linear=False),
        exponent("alpha_N", (0.1, 1.2)),
        exponent("alpha_E", (0.1, 1.2)),
    )

    def inner(self, **variables: Any) -> Any:
        """I^-beta = (N_c/N)^alpha_N + (E_c/E)^alpha_E: to be minimised."""
        n, interactions = self.read(variables)
        return (self.N_c / n) ** self.alpha_N + (self.E_c / interactions) ** self.alpha_E

    def outer(self, inner: Any) -> Any:
        """inner^(-1/beta): falls as the inner quantity rises."""
        return inner ** (-1.0 / self.alpha_N - 1.0 / self.alpha_E)

    def inner_for_loss(self, loss: Any) -> Any:
        return np.asarray(loss, float) ** (-self.alpha_N * self.alpha_E / (self.alpha_N + self.alpha_E))

    def parameter_exponent(self) -> Coef:
        """a in N* ∝ C^a, C proportional to N E."""
        return self.alpha_E / (self.alpha_N + self.alpha_E)

    def loss(self, **variables: Any) -> Any:
        """[(N_c/N)^alpha_N + (E_c/E)^alpha_E]^(-1/alpha_N - 1/alpha_E); E = interaction_count. Rises."""
        return self.outer(self.inner(**variables))


@dataclass(frozen=True)
class BestOfNReward(Form):
    """Gold reward of best-of-n sampling against a proxy, by distance from the first policy."""

    alpha: Coef
    beta: Coef

    form_name: ClassVar[str] = "reward-of-best-of-n"
    variables: ClassVar[tuple[str, ...]] = ("policy_distance",)
    citation: ClassVar[str] = GAO
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.SEARCH
    observed: ClassVar[str] = "signed_metric"
    larger_is_better: ClassVar[bool] = True
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("alpha", "reward per distance", (0.05, 10.0)),
        scale("beta", "reward per squared distance", (1e-3, 1.0)),
    )

    def best_distance(self) -> Coef:
        """d of highest reward."""
        return self.alpha / (2.0 * self.beta)

    def loss(self, **variables: Any) -> Any:
        """d (alpha - beta d); d = policy_distance. Reward."""
        (d,) = self.read(variables)
        return d * (self.alpha - self.beta * d)


@dataclass(frozen=True)
class OptimisedReward(Form):
    """Gold reward of reinforcement learning against a proxy, by distance from the first policy."""

    alpha: Coef
    beta: Coef

    form_name: ClassVar[str] = "reward-of-rl"
    variables: ClassVar[tuple[str, ...]] = ("policy_distance",)
    citation: ClassVar[str] = GAO
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.SEARCH
    observed: ClassVar[str] = "signed_metric"
    larger_is_better: ClassVar[bool] = True
    coefficients: ClassVar[tuple[Coefficient, ...]] = BestOfNReward.coefficients

    def best_distance(self) -> Coef:
        """d of highest reward."""
        return np.exp(self.alpha / self.beta - 1.0)

    def loss(self, **variables: Any) -> Any:
        """d (alpha - beta ln d); d = policy_distance. Reward."""
        (d,) = self.read(variables)
        return d * (self.alpha - self.beta * np.log(d))


def best_of_n_distance(sample_count: Any) -> Any:
    """Distance (square root of nats) of best-of-n from the first policy: sqrt(ln n - (n - 1)/n)."""
    n = np.asarray(sample_count, float)
    return np.sqrt(np.log(n) - (n - 1.0) / n)


@dataclass(frozen=True)
class ComputeSigmoid(Form):
    """A score that rises from R0 to a ceiling A, half way at C_mid; also accuracies over compute (Ruan et al. 2024)."""

    R0: Coef
    A: Coef
    C_mid: Coef
    B: Coef

    form_name: ClassVar[str] = "compute-sigmoid"
    variables: ClassVar[tuple[str, ...]] = ("training_flops",)
    citation: ClassVar[str] = "Khatri et al. 2025, The Art of Scaling Reinforcement Learning Compute, arXiv 2510.13786"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    observed: ClassVar[str] = "metric"
    larger_is_better: ClassVar[bool] = True
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("R0", "score", (0.001, 0.5), linear=False),
        scale("A", "score", (0.2, 1.5), linear=False),
        scale("C_mid", "FLOP", (1e16, 1e26), linear=False),
        Coefficient("B", 0.01, 20.0, (0.2, 3.0), logarithmic=True),
    )

    def loss(self, **variables: Any) -> Any:
        """R0 + (A - R0) / (1 + (C_mid/C)^B); C = training_flops. Score."""
        (c,) = self.read(variables)
        rise = np.exp(-1.0 * np.logaddexp(0.0, self.B * (np.log(self.C_mid) - np.log(c))))
        return self.R0 + (self.A - self.R0) * rise


@dataclass(frozen=True)
class BoardGameElo(Form):
    """Elo of a Hex agent: an incline in compute that ends at a plateau, both lower on larger boards."""

    incline: Coef
    board: Coef
    offset: Coef
    plateau_board: Coef
    plateau: Coef

    form_name: ClassVar[str] = "board-game-elo"
    variables: ClassVar[tuple[str, ...]] = ("training_flops", "board_size")
    citation: ClassVar[str] = JONES
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    observed: ClassVar[str] = "signed_metric"
    larger_is_better: ClassVar[bool] = True
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        Coefficient("incline", 0.0, 1e4, (100.0, 1000.0), "Elo per decade"),
        Coefficient("board", -1e4, 1e4, (-800.0, -100.0), "Elo per cell"),
        Coefficient("offset", -1e5, 1e5, (-8000.0, 0.0), "Elo"),
        Coefficient("plateau_board", -1e4, 1e4, (-500.0, -50.0), "Elo per cell"),
        Coefficient("plateau", -1e5, 1e5, (0.0, 2000.0), "Elo"),
    )

    def loss(self, **variables: Any) -> Any:
        """min(incline log10 C + board s + offset, plateau_board s + plateau); s = board_size. Elo."""
        c, size = self.read(variables)
        rising = self.incline * np.log10(c) + self.board * size + self.offset
        return np.minimum(rising, self.plateau_board * size + self.plateau)


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
