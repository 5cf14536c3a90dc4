"""What the best model at a budget becomes when the same runs are treated otherwise, and what believing that would cost.

Published fits of the same runs disagree because of choices nobody reports: decimals of the logged loss, the region that
was fitted, whether Huber's loss was summed or averaged, five outliers. Each choice is applied to the runs at hand; its
(N*, D*) is judged by the law fitted to the runs as given. The surface is flat in loss and not in money, so the regret
is stated in loss and in compute: the share of the budget that a plan of equal loss would have saved. After Weng 2026
("Scaling Laws, Carefully") and Besiroglu et al. 2024 (2404.10102).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.errors import InvalidInput, NotIdentified, PlanningError, Range, UnsupportedCombination, Violation, require
from planner.fitting.averaged import averaged_fit
from planner.fitting.envelope import fit_envelope
from planner.fitting.isoflop import fit_isoflop
from planner.fitting.newton import minimise, schedule
from planner.fitting.objective import DELTA
from planner.fitting.observations import Observations, observe
from planner.fitting.problem import Problem
from planner.fitting.projection import screen
from planner.fitting.rowfilter import chosen_rows
from planner.fitting.runs import Runs
from planner.laws.catalogue import law, laws
from planner.laws.chinchilla import Chinchilla
from planner.laws.compute import SIMPLE
from planner.laws.form import Form
from planner.laws.forms import form_class
from planner.laws.variables import allowed

Array = NDArray[np.float64]
DECIMALS = (3, 2, 1)
NOISES = (0.001, 0.005, 0.02)
REPEATS = 12  # of each noise
LEAST_SQUARES = 1e3  # a δ beyond all residuals
OUTLIER = 4.0  # robust standard deviations
HIGHEST_SHARE = 0.02
WELL_KNOWN = ("besiroglu-2024", "hoffmann-2022", "hoffmann-2022-rounded", "muennighoff-2023-base")
NUMBERS = Range(0, 2**63 - 1, "")


@dataclass(frozen=True)
class Variant:
    """One treatment: its plan at the budget, and what the plan costs if the law of the runs as given is right.

    `loss_regret` in the unit of the loss; `compute_regret` the share of the budget wasted. Where the treatment allows
    no fit, values are NaN and `note` says why. Of repeated treatments the numbers are medians,
    `exponent_sd` their spread.
    """

    kind: str
    treatment: str
    rows: int
    coefficients: Mapping[str, float]
    parameter_exponent: float
    parameter_count: float
    token_count: float
    loss_regret: float
    compute_regret: float
    exponent_sd: float = float("nan")
    note: str = ""


@dataclass(frozen=True)
class Sensitivity:
    """The plan of the runs as given (the first variant) and of every other treatment of them."""

    training_flops: float
    form: str
    loss: float  # of the plan as given
    variants: tuple[Variant, ...]

    def of(self, treatment: str) -> Variant:
        """The variant called `treatment`."""
        return next(v for v in self.variants if v.treatment == treatment)


def plan_sensitivity(
    runs: Runs,
    training_flops: float | None = None,
    form: str = "chinchilla",
    *,
    where: str | None = None,
    mapping: Mapping[str, str] | None = None,
    group: str | None = None,
    regions: tuple[str, ...] = (),
    coefficients: tuple[str, ...] | None = None,
    seed: int = 0,
) -> Sensitivity:
    """Refit the runs under every treatment and compare the plans at `training_flops` (None: ten times the dearest run).

    `regions` are row filters whose fits to compare, besides the halves by compute and the thirds by size;
    `coefficients` the published laws to read the plan from (None: the well-known ones of the dense form).
    Raises InvalidInput (a form that has no best model in closed form included), UnknownName, NotIdentified.
    """
    kind = form_class(form)
    if not hasattr(kind, "compute_optimal") or not hasattr(kind, "compute_for_loss"):
        wanted = "a form whose best model follows in closed form, for example chinchilla"
        raise UnsupportedCombination(Violation("form", form, wanted))
    require(*NUMBERS.check("seed", seed))
    seen = observe(runs, kind, where=where, mapping=mapping, group=group)
    if training_flops is None:
        training_flops = 10.0 * float(seen.training_flops.max())
    require(*allowed("training_flops").check("training_flops", training_flops))
    study = _Study(kind, seen, float(training_flops), seed)
    found = [
        study.given(),
        *study.rounded(),
        *study.noisy(),
        *study.regions(runs, regions),
        *study.outliers(),
        *study.objectives(),
        *study.published(coefficients),
        *study.approaches(runs, where, mapping, group),
    ]
    return Sensitivity(float(training_flops), form, study.best_loss, tuple(found))


class _Study:
    """The runs, the law of the runs as given, and the budget at which plans are compared."""

    def __init__(self, kind: type[Form], seen: Observations, flops: float, seed: int) -> None:
        self.kind, self.seen, self.flops, self.seed = kind, seen, flops, seed
        best: Any = fitted(kind, seen.variables, seen.losses)
        self.law = best
        n, _ = best.compute_optimal(flops)
        self.best_loss = self._loss(float(n))

    def _loss(self, parameters: float) -> float:
        tokens = self.flops / SIMPLE.training_flops(parameters, 1.0)
        return float(self.law.loss(parameter_count=parameters, token_count=tokens))

    def given(self) -> Variant:
        return self._variant("data", "as given", len(self.seen.losses), self.law)

    def rounded(self) -> list[Variant]:
        names = {k: f"losses rounded to {k} decimal{'s' if k > 1 else ''}" for k in DECIMALS}
        return [self._refit("rounding", names[k], losses=np.round(self.seen.losses, k)) for k in DECIMALS]

    def noisy(self) -> list[Variant]:
        """New noise on the law's own losses at the same runs."""
        clean = np.asarray(self.law.loss(**self.seen.variables), float)
        generator = np.random.default_rng(self.seed)
        return [self._repeated(clean, noise, generator) for noise in NOISES]

    def _repeated(self, clean: Array, noise: float, generator: np.random.Generator) -> Variant:
        name = f"new noise of {100 * noise:g} %"
        found = [
            self._refit("noise", name, losses=clean * np.exp(noise * generator.standard_normal(len(clean))), near=True)
            for _ in range(REPEATS)
        ]
        good = [v for v in found if not v.note]
        if len(good) < REPEATS // 2:
            return found[0]
        exponents = np.array([v.parameter_exponent for v in good])
        middle: dict[str, Any] = {
            k: float(np.median([getattr(v, k) for v in good]))
            for k in ("parameter_exponent", "parameter_count", "token_count", "loss_regret", "compute_regret")
        }
        return Variant("noise", name, len(clean), {}, exponent_sd=float(exponents.std(ddof=1)), **middle)

    def regions(self, runs: Runs, more: tuple[str, ...]) -> list[Variant]:
        flops, sizes = self.seen.training_flops, self.seen.variables["parameter_count"]
        half = float(np.median(flops))
        low, high = np.quantile(sizes, [1.0 / 3.0, 2.0 / 3.0])
        parts = {
            f"the cheaper half (C <= {half:.3g})": flops <= half,
            f"the dearer half (C > {half:.3g})": flops > half,
            f"the smallest third (N <= {low:.3g})": sizes <= low,
            f"the middle third ({low:.3g} < N <= {high:.3g})": (sizes > low) & (sizes <= high),
            f"the largest third (N > {high:.3g})": sizes > high,
        }
        for condition in more:
            parts[condition] = chosen_rows(runs, condition)[self.seen.rows]
        return [self._refit("region", f"only {name}", chosen=mask) for name, mask in parts.items()]

    def outliers(self) -> list[Variant]:
        residual = np.log(self.seen.losses) - np.log(self.law.loss(**self.seen.variables))
        spread = 1.4826 * float(np.median(np.abs(residual - np.median(residual))))
        count = int(np.ceil(HIGHEST_SHARE * len(residual)))
        order = np.argsort(self.seen.losses, kind="stable")
        highest = np.zeros(len(residual), dtype=bool)
        highest[order[-count:]] = True
        near = np.abs(residual) <= OUTLIER * max(spread, 1e-12)
        return [
            self._refit("outliers", f"without residuals beyond {OUTLIER:g} standard deviations", chosen=near),
            self._refit("outliers", f"without the {count} highest losses", chosen=~highest),
        ]

    def objectives(self) -> list[Variant]:
        squares = self._refit("objective", "least squares of log losses", delta=LEAST_SQUARES)
        if self.kind is not Chinchilla:
            return [squares]
        stopped, starts = averaged_fit(self.seen)
        name = f"Huber's loss averaged, default tolerances, {starts} starts"
        return [squares, self._variant("objective", name, len(self.seen.losses), stopped)]

    def published(self, names: tuple[str, ...] | None) -> list[Variant]:
        known = [x for x in laws() if x.name in WELL_KNOWN] if names is None else [law(name) for name in names]
        wanted = "laws whose best model follows in closed form"
        wrong = [x.name for x in known if not hasattr(x.form, "compute_optimal")]
        require(*(Violation("coefficients", name, wanted) for name in wrong))
        return [self._variant("coefficients", f"coefficients of {x.name}", 0, x.form) for x in known]

    def approaches(
        self, runs: Runs, where: str | None, mapping: Mapping[str, str] | None, group: str | None
    ) -> list[Variant]:
        found = []
        for name, fit in (("isoflop", fit_isoflop), ("envelope", fit_envelope)):
            more: dict[str, Any] = {"group": group} if name == "envelope" else {}
            try:
                line = fit(runs, where=where, mapping=mapping, bootstrap=0, seed=self.seed, **more)
            except NotIdentified as error:
                found.append(self._failed("approach", name, len(self.seen.losses), error))
            else:
                found.append(self._variant("approach", name, len(self.seen.losses), line.form))
        return found

    def _refit(
        self,
        kind: str,
        treatment: str,
        *,
        losses: Array | None = None,
        chosen: NDArray[np.bool_] | None = None,
        delta: float = DELTA,
        near: bool = False,
    ) -> Variant:
        rows = np.ones(len(self.seen.losses), dtype=bool) if chosen is None else chosen
        values = (self.seen.losses if losses is None else losses)[rows]
        variables = {k: v[rows] for k, v in self.seen.variables.items()}
        try:
            around = self.law if near else None
            return self._variant(kind, treatment, int(rows.sum()), fitted(self.kind, variables, values, delta, around))
        except (NotIdentified, InvalidInput) as error:
            return self._failed(kind, treatment, int(rows.sum()), error)

    def _variant(self, kind: str, treatment: str, rows: int, law: Any) -> Variant:
        n = float(law.compute_optimal(self.flops)[0])
        if not 0.0 < n < 1e30:
            return self._failed(kind, treatment, rows, NotIdentified(f"its best model has {n:.3g} parameters"))
        loss = self._loss(n)
        same = float(self.law.compute_for_loss(loss))
        return Variant(
            kind,
            treatment,
            rows,
            {k: float(v) for k, v in law.values().items()},
            float(law.compute_optimal_exponents()[0]),
            n,
            self.flops / float(SIMPLE.training_flops(n, 1.0)),
            max(loss - self.best_loss, 0.0),
            max(1.0 - self.flops / same, 0.0) if same > self.flops else max(1.0 - same / self.flops, 0.0),
        )

    def _failed(self, kind: str, treatment: str, rows: int, error: PlanningError) -> Variant:
        nothing = float("nan")
        return Variant(kind, treatment, rows, {}, nothing, nothing, nothing, nothing, nothing, note=error.message)


def fitted(
    kind: type[Form], variables: Mapping[str, Array], losses: Array, delta: float = DELTA, near: Form | None = None
) -> Form:
    """The form at its best minimum (looked for from `near` if given), without draws or diagnostics.

    Raises NotIdentified where too few runs differ.
    """
    problem = Problem(kind, variables, losses)
    matrix = np.stack(list(variables.values()), axis=1)
    if len(np.unique(matrix, axis=0)) <= len(problem.free) or not np.all(losses > 0):
        raise NotIdentified(
            f"{len(matrix)} runs are too few for the {len(problem.free)} coefficients of {kind.form_name}"
        )
    starts = screen(problem, 12).theta if near is None else problem.to_theta(near.vector())[None]
    found = minimise(problem, starts, schedule(max(0.05, delta), delta), iterations=120)
    if not np.isfinite(found.objective).any():
        raise NotIdentified(f"no coefficients of {kind.form_name} give positive finite losses at these runs")
    best = found.theta[int(np.argmin(found.objective))]
    return kind.from_vector(problem.vectors(best[None])[0])
