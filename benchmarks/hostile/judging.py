"""Tables by their number, fitted, and what becomes of them.

What the fit gives is counted as
- refused: a typed error that names what is wrong;
- covered: the truth lies inside the 80 % intervals, of the loss of a run ten times dearer than the dearest one and of
  the exponent of the best model size;
- missed: it lies outside one of them, as it should in a fifth of the cases and more where two are asked for;
- wrong: outside by more than the interval's whole width, four standard errors of a normal law;
- no truth: the values are noise, so that nothing can be compared;
and as warned where a caution names what is the matter. Narrow and wrong is wrong and not warned. A crash is any error
that is not of `planner.errors`, or a warning of the arithmetic; a hang a fit of more than ten CPU seconds.
"""

from __future__ import annotations

import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hostile.hostilities import HOSTILITIES
from hostile.laboratory import Table, healthy
from planner.errors import PlanningError
from planner.fitting import FittedLaw, Runs, fit_best, fit_law

DRAWS, HANG_SECONDS = 60, 10.0
FORMS = (  # of every twenty tables
    *("chinchilla",) * 8, "kaplan", "kaplan", "data-constrained", "data-constrained", "joint-moe", "joint-moe",
    "training-precision", "power-of-tokens", "power-of-tokens", "isoflop", "isoflop", "envelope",
)  # fmt: skip
AUTO_EVERY = 49  # of these tables one is fitted by the form that extrapolates best; no divisor of the hostilities
IDLE = {  # cautions that do not say what is the matter with a table, or that healthy ones get too
    "ROWS_DROPPED", "DERIVED_COLUMN", "EXTRAPOLATION", "MID_SCHEDULE", "METHOD_BIAS", "FRONTIER_OF_RUNS", "CURVES",
    "SATURATES", "FEW_STARTS_AGREE", "EXPONENT_SUM", "REGION_SENSITIVE", "POOR_EXTRAPOLATION", "INFLUENTIAL_RUN",
    "SEVERAL_MINIMA", "REPEATED_ROWS", "DRAWS_DROPPED", "FEWER_DRAWS",
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What became of one table."""

    number: int
    hostility: str
    form: str
    verdict: str  # an error class, covered, missed, wrong, no truth, crash
    warned: bool
    seconds: float
    width: float = float("nan")  # of the loss interval, in log loss
    exponent_width: float = float("nan")
    detail: str = ""

    @property
    def narrow_wrong(self) -> bool:
        return self.verdict == "wrong" and not self.warned


def made(number: int, hostility: str | None = None, form: str | None = None) -> tuple[Table, str, str]:
    """Table, hostility and form of this number."""
    names = list(HOSTILITIES)
    name = hostility or names[number % len(names)]
    random = np.random.default_rng([20, number])
    auto = number % AUTO_EVERY == AUTO_EVERY - 1
    kind = form or ("auto" if auto else FORMS[(number // len(names)) % len(FORMS)])
    table = healthy("chinchilla" if kind == "auto" else kind, random)
    with np.errstate(all="ignore"):
        HOSTILITIES[name](table)
    return table, name, kind


def asked(table: Table) -> dict[str, float]:
    """A run ten times dearer than the dearest of the table."""
    grown = [k for k in ("parameter_count", "token_count") if k in table.real]
    dearest = int(np.argmax(np.prod([table.real[k] for k in grown], axis=0)))
    point = {k: float(v[dearest]) for k, v in table.real.items()}
    for k in ("parameter_count", "token_count", "unique_token_count"):
        if k in point:
            point[k] *= (10.0 - 1e-6) ** (1.0 / len(grown))
    return point


def judged(number: int, hostility: str | None = None, form: str | None = None) -> Outcome:
    """Fit the table of this number and judge what comes out."""
    table, name, kind = made(number, hostility, form)
    begun = time.process_time()

    def outcome(verdict: str, warned: bool = False, **more: Any) -> Outcome:
        return Outcome(number, name, kind, verdict, warned, time.process_time() - begun, **more)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            runs = Runs.from_columns(table.columns)
            if kind == "auto":
                found = fit_best(runs, bootstrap=DRAWS)
            else:
                found = fit_law(runs, kind, bootstrap=DRAWS)
            return _compared(found, table, kind, outcome)
    except PlanningError as error:
        return outcome(type(error).__name__, True, detail=str(error))
    except Exception:  # whatever else is raised is what this looks for
        return outcome("crash", detail=traceback.format_exc())


def _compared(found: FittedLaw, table: Table, kind: str, outcome: Callable[..., Outcome]) -> Outcome:
    notes = {w.code for w in found.warnings}
    width = exponent_width = float("nan")
    misses = []  # distance outside, in widths of the interval
    exponent = found.compute_optimal_exponent
    exact = None if table.truth is None else table.truth.compute_optimal_exponents()
    if exponent is not None:
        low, high = exponent.parameters.lower, exponent.parameters.upper
        exponent_width = high - low
        if exact is not None:
            misses.append(_distance(float(exact[0]), low, high))
    if kind not in ("isoflop", "envelope") and table.real:
        point = asked(table)
        prediction = found.predict({k: point[k] for k in found.form.variables})
        notes |= {w.code for w in prediction.warnings}
        width = float(np.log(prediction.upper / prediction.lower))
        if table.truth is not None:
            real = float(table.truth.loss(**point))
            misses.append(_distance(*(float(np.log(x)) for x in (real, prediction.lower, prediction.upper))))
    worst = max(misses, default=float("nan"))
    verdict = "no truth" if not misses else "wrong" if worst > 1 else "missed" if worst > 0 else "covered"
    warned = bool(notes - IDLE)
    return outcome(verdict, warned, width=width, exponent_width=exponent_width, detail=f"{worst:.2f} {sorted(notes)}")


def _distance(value: float, low: float, high: float) -> float:
    outside = max(low - value, value - high, 0.0)
    return outside / (high - low) if outside and high > low else float("inf") if outside else 0.0
