"""What the pilot runs are to decide, and what a wrong decision costs.

`LossAt`: the loss at target points; its regret is half the squared error of the predicted log loss. `ComputeOptimal`:
the best N and D at a compute budget; its regret is the loss above the best at that budget, or the compute it is worth.
If x* is the chosen log N and the loss along the budget is ℓ(x, θ), then δx* = -ℓ_xθ δθ / ℓ_xx and the regret is
½ (ℓ_xθ δθ)² / ℓ_xx: a variance again, along one direction of the coefficients.

`missed` is how each takes what the form misses: a field to be learned at the points, or an error that grows with the
distance from the target, where no run can be had.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from planner.design.beliefs import Beliefs
from planner.design.misfit import Distance, Field
from planner.errors import InvalidInput, Violation
from planner.laws.compute import SIMPLE, ComputeModel
from planner.laws.form import Form

Array = NDArray[np.float64]
STEP = 0.05  # of log N, for derivatives along the budget
SIDES = (1e5, 1e14)  # parameter counts looked at
USUAL_MISFIT = 0.005  # log loss per unit of distance: what is missed at all sizes alike does not move the best
FLATTEST = 1e-5  # curvature of log loss in log N below which an optimum is not one


@dataclass(frozen=True, eq=False)
class LossAt:
    """The loss at target points: name -> (points,)."""

    points: Mapping[str, Array]

    def anchors(self) -> Mapping[str, Array]:
        """Where predictions have to be within reason."""
        return self.points

    def missed(self, names: tuple[str, ...], candidates: Mapping[str, Array]) -> Field:
        """What a form of these variables misses."""
        return Field.over(names, self.points, candidates)

    def answers(self, beliefs: Beliefs) -> Array:
        """(draws, points): each draw's answer, so that half the variance over the draws is the regret of any one."""
        answers = beliefs.answers(self.points)
        return np.asarray(answers / np.sqrt(answers.shape[1]))

    def modes(self, beliefs: Beliefs) -> Array:
        """(points, modes) of what the form misses, as far as the answers depend on it."""
        return beliefs.missed.modes(self.points)

    def aims(self, beliefs: Beliefs) -> Array:
        """(draws, points, free): ∂ log loss / ∂ θ, so that ½ tr(G Σ Gᵀ) is half the mean squared error."""
        gradients = beliefs.gradients(self.points)
        return np.asarray(gradients / np.sqrt(gradients.shape[1]))


@dataclass(frozen=True, eq=False)
class ComputeOptimal:
    """The best parameter and token counts at `training_flops`; the form's other variables are given in `others`."""

    training_flops: float
    compute_model: ComputeModel = SIMPLE
    others: Mapping[str, float] = field(default_factory=dict)

    def check(self, form: type[Form]) -> None:
        """Raises InvalidInput if the form has no such decision."""
        missing = [v for v in ("parameter_count", "token_count") if v not in form.variables]
        missing += [v for v in form.variables if v not in (*self.others, "parameter_count", "token_count")]
        if missing:
            allowed = f"a value for it, or a form of parameters and tokens and not {form.form_name}"
            raise InvalidInput(*(Violation(v, "missing", allowed) for v in missing))

    def points(self, log_parameters: Array) -> dict[str, Array]:
        """Variables on the budget at these log parameter counts (any shape, flattened)."""
        n = np.exp(np.asarray(log_parameters, float).reshape(-1))
        d = self.training_flops / self.compute_model.training_flops_per_token(n)
        return {"parameter_count": n, "token_count": d, **{k: np.full_like(n, v) for k, v in self.others.items()}}

    def anchors(self) -> Mapping[str, Array]:
        """Points about a balanced run of this compute."""
        middle = 0.5 * np.log(self.training_flops / (6.0 * 20.0))
        return self.points(middle + np.linspace(-1.5, 1.5, 4))

    def missed(self, names: tuple[str, ...], candidates: Mapping[str, Array]) -> Distance:
        """What a form of these variables misses."""
        return Distance.to(names, self.anchors(), candidates, USUAL_MISFIT)

    def best(self, form: Form) -> Array:
        """log N of least loss on the budget for each draw of the form (draws,), or one."""
        low, high = (np.log(x) for x in SIDES)
        high = min(high, float(np.log(self.training_flops / 6.0)))
        axis = np.linspace(low, high, 160)
        losses = np.atleast_2d(np.asarray(self._losses(form, axis)))
        at = np.clip(np.argmin(losses, axis=1), 1, len(axis) - 2)
        around = np.stack([losses[np.arange(len(at)), at + k] for k in (-1, 0, 1)])
        bend = around[0] - 2.0 * around[1] + around[2]
        with np.errstate(all="ignore"):
            shift = np.where(bend > 0, 0.5 * (around[0] - around[2]) / bend, 0.0)
        return np.asarray(axis[at] + np.clip(np.nan_to_num(shift), -1.0, 1.0) * (axis[1] - axis[0]))

    def _losses(self, form: Form, axis: Array) -> Array:
        with np.errstate(all="ignore"):
            values = np.asarray(form.loss(**self.points(axis)), float)
        return np.where(np.isfinite(values), values, np.inf)

    def answers(self, beliefs: Beliefs) -> Array:
        """(draws, 1): each draw's log N times √ℓ_xx, so that half the variance over the draws is the regret."""
        best, _, bend = self._about_best(beliefs)
        return np.asarray((best * np.sqrt(np.median(bend)))[:, None])

    def modes(self, beliefs: Beliefs) -> Array:
        """(1, modes), all zero: the best size is that of the form."""
        return 0.0 * beliefs.missed.modes(self.points(np.zeros(1)))

    def aims(self, beliefs: Beliefs) -> Array:
        """(draws, 1, free): ∂²ℓ/∂x∂θ / √ℓ_xx at each draw's own optimum, ℓ the log loss."""
        _, slope, bend = self._about_best(beliefs)
        return np.asarray((slope / np.sqrt(bend)[:, None])[:, None, :])

    def _about_best(self, beliefs: Beliefs) -> tuple[Array, Array, Array]:
        """For each draw x*, ∂²ℓ/∂x∂θ and ℓ_xx there: (draws,), (draws, free), (draws,)."""
        problem = beliefs.problem(self.points(np.zeros(1)))
        best = self.best(beliefs.form.from_vector(problem.vectors(beliefs.draws)))
        rows = np.arange(len(best))
        below, at, above = (
            (beliefs.problem(points).residuals(beliefs.draws)[rows, rows], beliefs.gradients(points)[rows, rows])
            for points in (self.points(best + k * STEP) for k in (-1.0, 0.0, 1.0))
        )
        bend = np.maximum(np.nan_to_num((below[0] - 2.0 * at[0] + above[0]) / STEP**2), FLATTEST)
        return best, (above[1] - below[1]) / (2.0 * STEP), bend

    def elasticity(self, beliefs: Beliefs) -> float:
        """By how much a share more compute lowers the best log loss, per share (median of the draws)."""
        more = ComputeOptimal(self.training_flops * 1.1, self.compute_model, self.others)
        clouds = beliefs.form.from_vector(beliefs.problem(self.points(np.zeros(1))).vectors(beliefs.draws))
        now, then = (np.log(one.least(clouds)) for one in (self, more))
        return float(np.median((now - then) / np.log(1.1)))

    def least(self, form: Form) -> Array:
        """The loss at the best size, for each draw (draws,)."""
        best = self.best(form)
        with np.errstate(all="ignore"):
            table = np.atleast_2d(np.asarray(form.loss(**self.points(best)), float))
        return np.asarray(np.diagonal(table) if len(table) > 1 else table[0])

    def regret(self, truth: Form, log_parameters: float) -> tuple[float, float]:
        """(loss above the best, compute wasted as a share) of training this size, were `truth` the law."""
        best = float(self.least(truth)[0])
        chosen = float(self._losses(truth, np.atleast_1d(log_parameters)).reshape(-1)[0])
        if not np.isfinite(chosen):
            return float("inf"), 1.0
        low, high = -30.0, 0.0  # log of the compute that would have been enough, over the budget
        for _ in range(50):
            middle = 0.5 * (low + high)
            less = ComputeOptimal(self.training_flops * float(np.exp(middle)), self.compute_model, self.others)
            enough = less.least(truth)[0] <= chosen
            low, high = (low, middle) if enough else (middle, high)
        return max(chosen - best, 0.0), float(-np.expm1(high))


Decision = LossAt | ComputeOptimal
