"""Ten thousand tables of runs as people send them: broken, confused, or too poor for the question.

Each table is made from its number alone: a law of known coefficients, a layout of runs, noise, and one hostility. What
the fit gives is counted as
- refused: a typed error that names what is wrong;
- covered: the truth lies inside the 80 % intervals, of the loss of a run ten times dearer than the dearest one and of
  the exponent of the best model size;
- missed: it lies outside one of them, as it should in a fifth of the cases and more where two are asked for;
- wrong: outside by more than the interval's whole width, four standard errors of a normal law;
- no truth: the values are noise, so that nothing can be compared;
and as warned where a caution names what is the matter. **Narrow and wrong** is wrong and not warned. A crash is any
error that is not of `planner.errors`, or a warning of the arithmetic; a hang a fit of more than ten CPU seconds. Exit
status 1 where there is one of either, or where more than one table in a thousand is narrow and wrong.

By default 440 tables spread over the ten thousand, in minutes; `--count 10000` makes them all, in an hour or two.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.errors import PlanningError
from planner.fitting import FittedLaw, Runs, fit_best, fit_law
from planner.laws import form_class, law
from planner.laws.form import Form

Array = NDArray[np.float64]
TABLES, STRIDE = 10_000, 47  # a stride that meets every table once, and every hostility and form early
COUNT, DRAWS, HANG_SECONDS, TOLERATED = 440, 60, 10.0, 1e-3
TRUTHS = {
    "kaplan": "kaplan-2020", "data-constrained": "muennighoff-2023", "joint-moe": "ludziejewski-2025",
    "training-precision": "kumar-2024",
}  # fmt: skip
FORMS = (  # of every twenty tables
    *("chinchilla",) * 8, "kaplan", "kaplan", "data-constrained", "data-constrained", "joint-moe", "joint-moe",
    "training-precision", "power-of-tokens", "power-of-tokens", "isoflop", "isoflop", "envelope",
)  # fmt: skip
AUTO_EVERY = 1000  # of these tables one is fitted by the form that extrapolates best
IDLE = {  # cautions that do not say what is the matter with a table, or that healthy ones get too
    "ROWS_DROPPED", "DERIVED_COLUMN", "EXTRAPOLATION", "MID_SCHEDULE", "METHOD_BIAS", "FRONTIER_OF_RUNS", "CURVES",
    "SATURATES", "FEW_STARTS_AGREE", "EXPONENT_SUM", "REGION_SENSITIVE", "POOR_EXTRAPOLATION", "INFLUENTIAL_RUN",
    "SEVERAL_MINIMA", "REPEATED_ROWS", "DRAWS_DROPPED", "FEWER_DRAWS",
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


# Hostilities. Each changes the table in place; `truth = None` where nothing true is left to compare with.
def _cell(value: Any) -> Callable[[Table], None]:
    def change(t: Table) -> None:
        name = str(t.random.choice(list(t.columns)))
        rows = t.random.choice(t.rows, int(t.random.integers(1, 4)), replace=False)
        column = t.columns[name].astype(object) if isinstance(value, str | None) else t.columns[name].copy()
        column[rows] = value
        t.columns[name] = column

    return change


def _scaled(column: str, factors: Sequence[float], share: float) -> Callable[[Table], None]:
    """A share of the rows (drawn one by one if below one) in another unit."""

    def change(t: Table) -> None:
        name = column if column in t.columns else "token_count"
        which = t.random.random(t.rows) < share
        t.columns[name] = np.where(which, t.columns[name] * float(t.random.choice(factors)), t.columns[name])

    return change


def _constant(column: str) -> Callable[[Table], None]:
    def change(t: Table) -> None:
        name = column if column in t.columns else "loss"
        t.columns[name] = np.full(t.rows, t.columns[name][0])
        if name == "loss":
            t.truth = None
        else:
            t.measured()

    return change


def _first(low: int, high: int) -> Callable[[Table], None]:
    return lambda t: t.take(t.random.permutation(t.rows)[: int(t.random.integers(low, high + 1))])


def _levels(column: str, count: int) -> Callable[[Table], None]:
    """Only so many values of one variable."""

    def change(t: Table) -> None:
        name = column if column in t.columns else "token_count"
        values = np.quantile(t.columns[name], np.linspace(0.2, 0.8, count))
        t.columns[name] = t.random.choice(values, t.rows)
        t.measured()

    return change


def _frontier(t: Table) -> None:
    if "parameter_count" in t.columns:
        t.columns["token_count"] = 20.0 * t.columns["parameter_count"] ** t.random.uniform(0.95, 1.05)
        if "unique_token_count" in t.columns:
            t.columns["unique_token_count"] = t.columns["token_count"] / np.exp(t.random.uniform(0, 3, t.rows))
    t.measured()


def _budget(t: Table) -> None:
    if "parameter_count" in t.columns:
        t.columns["token_count"] = 1e20 / (6 * t.columns["parameter_count"])
    t.measured()


def _narrow(t: Table) -> None:
    for k in ("parameter_count", "token_count"):
        if k in t.columns:
            t.columns[k] = np.median(t.columns[k]) * np.exp(t.random.uniform(-0.3, 0.3, t.rows))
    t.measured()


def _near_floor(t: Table) -> None:
    for k in ("parameter_count", "token_count", "unique_token_count"):
        if k in t.columns:
            t.columns[k] = t.columns[k] * 1e4
    t.measured()


def _duplicates(t: Table) -> None:
    t.take(np.repeat(np.arange(t.rows), int(t.random.integers(2, 9))))


def _one_repeated(t: Table) -> None:
    t.take(np.concatenate([np.arange(t.rows), np.full(100, t.random.integers(t.rows))]))


def _outliers(t: Table) -> None:
    bad = t.random.random(t.rows) < t.random.uniform(0.02, 0.25)
    t.columns["loss"] = np.where(
        bad, t.columns["loss"] * np.exp(t.random.uniform(0.05, 1.2, t.rows)), t.columns["loss"]
    )


def _heavy(t: Table) -> None:
    t.measured(t.sd * t.random.standard_t(1.5, t.rows))


def _noisy(t: Table) -> None:
    t.sd = float(t.random.uniform(0.03, 0.15))
    t.measured()


def _by_size(t: Table) -> None:
    """Noise shared by all runs of a size, as of a recipe tuned for some sizes only."""
    name = "parameter_count" if "parameter_count" in t.columns else "token_count"
    sizes = np.quantile(t.columns[name], np.linspace(0.05, 0.95, 7))
    which = t.random.integers(0, 7, t.rows)
    t.columns[name] = sizes[which]
    t.measured(t.sd * t.random.standard_normal(7)[which] * 2 + 0.2 * t.sd * t.random.standard_normal(t.rows))


def _rounded(t: Table) -> None:
    t.columns["loss"] = np.round(t.columns["loss"], int(t.random.integers(1, 3)))


def _checkpoints(named: bool, runs: int) -> Callable[[Table], None]:
    """Points along the curves of a few runs, each run with a fate of its own."""

    def change(t: Table) -> None:
        ends = t.random.permutation(t.rows)[:runs]
        points = 30
        run = np.repeat(np.arange(len(ends)), points)
        t.take(ends[run])
        t.columns["token_count"] = t.columns["token_count"] * np.tile(np.linspace(0.05, 1.0, points), len(ends))
        fate = 2.0 * t.sd * t.random.standard_normal(len(ends))
        t.measured(fate[run] + 0.1 * t.sd * t.random.standard_normal(t.rows))
        if named:
            t.columns["run_id"] = np.array([f"run-{k}" for k in run])

    return change


def _sweep(t: Table) -> None:
    """Many untuned learning rates a point: losses above the law's by up to a tenth, the best one near it."""
    rows = np.repeat(np.arange(t.rows)[:: max(1, t.rows // 20)], 12)
    t.take(rows)
    t.measured(np.abs(t.random.standard_normal(t.rows)) * 0.03 * t.random.random(t.rows))


def _swapped(t: Table) -> None:
    other = "token_count" if "parameter_count" in t.columns else "loss"
    one = "parameter_count" if "parameter_count" in t.columns else "token_count"
    t.columns[one], t.columns[other] = t.columns[other], t.columns[one]


def _compute_off(t: Table) -> None:
    """A compute column that is not 6 N D in some rows: petaFLOP-days, or another run's."""
    if "parameter_count" not in t.columns:
        return
    flops = 6 * t.columns["parameter_count"] * t.columns["token_count"]
    wrong = t.random.random(t.rows) < 0.3
    t.columns["C"] = np.where(wrong, flops / 8.64e19 if t.random.random() < 0.5 else flops[::-1], flops)


def _shuffled(t: Table) -> None:
    t.random.shuffle(t.columns["loss"])
    t.truth = None


def _garbage(t: Table) -> None:
    for k in t.columns:
        t.columns[k] = np.exp(t.random.uniform(-50, 80, t.rows))
    t.truth = None


def _rising(t: Table) -> None:
    t.columns["loss"] = t.columns["loss"].max() + 1.0 - t.columns["loss"]
    t.truth = None


def _other_metric(t: Table) -> None:
    t.columns["loss"] = np.exp(t.columns["loss"]) if t.random.random() < 0.5 else 100.0 / t.columns["loss"]
    t.truth = None


HOSTILITIES: dict[str, Callable[[Table], None]] = {
    "clean (control)": lambda t: None,
    "a NaN": _cell(float("nan")), "an infinity": _cell(float("inf")), "a negative": _cell(-1.0), "a zero": _cell(0.0),
    "text": _cell("n/a"), "blanks": _cell(None), "huge": _cell(1e305), "tiny": _cell(1e-305),
    "one row": _first(1, 1), "two rows": _first(2, 2), "five points": _first(5, 6), "few points": _first(7, 12),
    "constant loss": _constant("loss"), "constant parameters": _constant("parameter_count"),
    "constant tokens": _constant("token_count"),
    "two sizes": _levels("parameter_count", 2), "two token counts": _levels("token_count", 2),
    "narrow range": _narrow, "frontier only": _frontier, "one budget": _budget, "near the floor": _near_floor,
    "duplicates": _duplicates, "one row repeated": _one_repeated, "outliers": _outliers, "heavy tails": _heavy,
    "much noise": _noisy, "noise by size": _by_size, "rounded": _rounded,
    "named checkpoints": _checkpoints(True, 6), "unnamed checkpoints": _checkpoints(False, 6),
    "checkpoints of three": _checkpoints(True, 3), "untuned sweep": _sweep,
    "swapped columns": _swapped, "half in billions": _scaled("token_count", [1e-9, 1e-6], 0.5),
    "all in billions": _scaled("token_count", [1e-9, 1e-6, 1e3], 2.0),
    "parameters in millions": _scaled("parameter_count", [1e-6, 1e-9], 2.0),
    "a few in millions": _scaled("parameter_count", [1e-6, 1e-3], 0.1),
    "half in bits": _scaled("loss", [1 / np.log(2), 0.25], 0.5), "compute disagrees": _compute_off,
    "shuffled losses": _shuffled, "garbage": _garbage, "rising loss": _rising, "another metric": _other_metric,
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


def report(outcomes: Sequence[Outcome]) -> None:
    """Counts by verdict, and by hostility."""
    verdicts = Counter(o.verdict for o in outcomes)
    slowest = max(outcomes, key=lambda o: o.seconds)
    print(f"{len(outcomes)} tables: " + ", ".join(f"{n} {v}" for v, n in verdicts.most_common()))
    narrow = [o for o in outcomes if o.narrow_wrong]
    print(f"narrow and wrong: {len(narrow)}; slowest {slowest.seconds:.1f} s ({slowest.hostility}, {slowest.form})")
    head = f"{'hostility':<24}{'tables':>7}{'refused':>9}{'warned':>8}{'covered':>9}{'missed':>8}{'wrong':>7}"
    print(head + f"{'narrow':>8}{'width':>9}{'of a':>7}   (medians of log loss, exponent)")
    for name in dict.fromkeys(o.hostility for o in outcomes):
        mine = [o for o in outcomes if o.hostility == name]
        fits = [o for o in mine if o.verdict in ("covered", "missed", "wrong", "no truth")]
        count = Counter(o.verdict for o in mine)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of empty medians
            widths = np.nanmedian([o.width for o in fits]), np.nanmedian([o.exponent_width for o in fits])
        print(
            f"{name:<24}{len(mine):>7}{len(mine) - len(fits) - count['crash']:>9}{sum(o.warned for o in fits):>8}"
            f"{count['covered']:>9}{count['missed']:>8}{count['wrong']:>7}{sum(o.narrow_wrong for o in mine):>8}"
            f"{widths[0]:>9.3f}{widths[1]:>7.2f}"
        )
    for o in [o for o in outcomes if o.verdict == "crash"][:5]:
        print(f"crash: table {o.number} ({o.hostility}, {o.form})\n{o.detail}")


def main(count: int, first: int, show: str) -> int:
    outcomes = []
    for k in range(first, first + count):
        outcomes.append(judged(k * STRIDE % TABLES))
        if show and (outcomes[-1].narrow_wrong if show == "narrow" else outcomes[-1].hostility == show):
            o = outcomes[-1]
            print(f"{o.number} {o.hostility}, {o.form}: {o.verdict} {o.width:.3f} {o.exponent_width:.3f} {o.detail}")
    report(outcomes)
    crashes = sum(o.verdict == "crash" for o in outcomes)
    hangs = sum(o.seconds > HANG_SECONDS for o in outcomes)
    narrow = sum(o.narrow_wrong for o in outcomes)
    print(f"{crashes} crashes, {hangs} hangs, {narrow} narrow and wrong (tolerated: {TOLERATED:g} of all)")
    return int(crashes > 0 or hangs > 0 or narrow > TOLERATED * count)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=COUNT, help=f"number of tables (all: {TABLES})")
    parser.add_argument("--first", type=int, default=0, help="how many to pass over")
    parser.add_argument("--show", default="", help="'narrow' or a hostility: print these tables one by one")
    arguments = parser.parse_args()
    sys.exit(main(arguments.count, arguments.first, arguments.show))
