"""Loss of a student of N_S parameters that distils D_S tokens of a teacher of loss L_T.

Busbridge et al. 2025 (2502.08606): L_S = L_T + L_T^-c0 (1 + (L_T/(L̃ d1))^{1/f1})^{-c1 f1} (A' N_S^-α' + B'
D_S^-β')^γ', with L̃ the loss of the same student trained on its own. The teacher matters through its loss only, and
too strong a teacher hurts. Neither a posynomial nor monotone in the teacher: enumerate teachers, search N_S on the
budget line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.coupled import Coupled
from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class Distillation(Form):
    """The supervised law of the student (E, A, B, alpha, beta, gamma) and what a teacher makes of it."""

    E: Coef
    A: Coef
    B: Coef
    alpha: Coef
    beta: Coef
    gamma: Coef
    A_s: Coef
    B_s: Coef
    alpha_s: Coef
    beta_s: Coef
    gamma_s: Coef
    c0: Coef
    c1: Coef
    d1: Coef
    f1: Coef

    form_name: ClassVar[str] = "distillation"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "token_count", "teacher_loss")
    citation: ClassVar[str] = "Busbridge et al. 2025, Distillation Scaling Laws, arXiv 2502.08606"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.SEARCH
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        Coefficient("E", 1e-8, 1e4, (0.1, 10.0), "nats/token", logarithmic=True),
        *(spec for spec in Coupled.coefficients if spec.name != "E"),
        scale("A_s", "parameters^alpha_s", (1.0, 1e8), linear=False),
        scale("B_s", "tokens^beta_s", (1.0, 1e10), linear=False),
        exponent("alpha_s", (0.1, 1.0)),
        exponent("beta_s", (0.1, 1.0)),
        exponent("gamma_s", (0.2, 1.5)),
        exponent("c0", (0.5, 5.0), limit=20.0),
        scale("c1", "", (10.0, 1e4), linear=False),
        scale("d1", "", (1.0, 2.0), linear=False),
        Coefficient("f1", 0.005, 5.0, (0.03, 0.5), logarithmic=True),
    )

    @property
    def supervised(self) -> Coupled:
        """The law of students that learn without a teacher."""
        return Coupled(self.E, self.A, self.B, self.alpha, self.beta, self.gamma)

    def loss(self, **variables: Any) -> Any:
        """T + T^-c0 (1 + (T/(S d1))^(1/f1))^(-c1 f1) (A_s N^-alpha_s + B_s D^-beta_s)^gamma_s.

        T = teacher_loss, S = loss of the same student without a teacher.
        """
        n, d, teacher = self.read(variables)
        alone = self.supervised.loss(parameter_count=n, token_count=d)
        ratio = np.log(teacher) - np.log(alone) - np.log(self.d1)
        bend = np.exp(-1.0 * self.c1 * self.f1 * np.logaddexp(0.0, ratio / self.f1) - self.c0 * np.log(teacher))
        return teacher + bend * (self.A_s * n**-self.alpha_s + self.B_s * d**-self.beta_s) ** self.gamma_s
