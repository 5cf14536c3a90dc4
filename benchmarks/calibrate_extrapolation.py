"""Sets the constants of intervals beyond the runs (planner/fitting/drift.toml) on public tables, and judges them.

Every task of `runs_tasks` is fitted to its cheaper part, twice, and predicts its dearer part. What a law knows then,
its draws, its scatter, the drift that splits of its own runs show and how fast its loss falls, is combined by several
rules, some of which have constants. Constants are chosen by a score of scale: mean log half-width plus ln 5 times
error over half-width, the logarithm of Laplace's likelihood, which no unit of the loss enters, among those whose
coverage is the level (the mean of two: tables counting alike, runs counting alike). A rule is judged on each table
with constants chosen on the others. `--write` puts the constants of all tables into the toml.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from runs_tasks import TASKS, Cut, cuts, folder

from planner.errors import PlanningError
from planner.fitting import fit_law, observe
from planner.fitting.drift import LEAST_SHARE, fall_per_decade
from planner.laws import form_class

Array = NDArray[np.float64]
Constants = tuple[float, float]  # usual share, weight of what was measured
LEVEL, PENALTY = 0.8, float(np.log(5.0))  # Laplace: 80 % lie within ln 5 scales
SHARES = tuple(float(x) for x in np.round(np.arange(0.1, 1.21, 0.05), 2))
WEIGHTS = (0.3, 0.4, 0.5, 0.6, 0.7)
SLACK = 0.01  # of coverage
NAMES = ("coverage", "score", "width", "winkler", "runs", "inside")
TOML = Path(__file__).resolve().parents[1] / "planner" / "fitting" / "drift.toml"


@dataclass(frozen=True, eq=False)
class Record:
    """What one fit knew and how its predictions fared; arrays are (rows,), in log loss or in the unit of the metric."""

    family: str
    error: Array  # observed less predicted
    down: Array  # half-widths without drift
    up: Array
    decades: Array
    measured: float | None
    fall: float


@dataclass(frozen=True)
class Rule:
    """Drift a decade outside from what a law knows; `constants` are the choices for it."""

    name: str
    drift: Callable[[Record, Constants], float]
    constants: Sequence[Constants] = ((0.0, 0.0),)
    root: bool = True  # grows with the root of the distance, else with the distance


def shrunk(record: Record, constants: Constants) -> float:
    """The product's rule."""
    share, weight = constants
    usual = share * record.fall
    if record.measured is None:
        return usual
    return float(max(record.measured, LEAST_SHARE * usual) ** weight * usual ** (1.0 - weight))


RULES: tuple[Rule, ...] = (
    Rule("draws and scatter alone", lambda r, c: 0.0),
    Rule("0.02 a decade", lambda r, c: 0.02, root=False),
    Rule("as the splits show", lambda r, c: r.fall * 0.3 if r.measured is None else r.measured),
    Rule("usual, a share of the fall", lambda r, c: c[0] * r.fall, tuple((s, 0.0) for s in SHARES)),
    Rule("both, not by the root", shrunk, tuple((s, w) for s in SHARES for w in WEIGHTS), root=False),
    Rule("both, as shipped", shrunk, tuple((s, w) for s in SHARES for w in WEIGHTS)),
)


def record(cut: Cut) -> Record | None:
    """The fit of a cut; None where the rows are too few."""
    kind = form_class(cut.task.form)
    try:
        law = fit_law(cut.fitted, cut.task.form, bootstrap=200)
        seen = observe(cut.fitted, kind)
    except PlanningError:
        return None
    found = replace(law, drift_per_decade=0.0).predict(cut.points, LEVEL)
    scaled = np.asarray if kind.signed() else np.log
    test = law.diagnostics.extrapolation
    return Record(
        cut.task.family,
        scaled(cut.losses) - scaled(found.loss),
        scaled(found.loss) - scaled(found.lower),
        scaled(found.upper) - scaled(found.loss),
        np.log10(found.extrapolation_ratio),
        None if test is None else test.drift_per_decade,
        fall_per_decade(scaled(seen.losses), seen),
    )


@dataclass(frozen=True)
class Figures:
    """Per table: coverage, score, mean width, interval score of Winkler (mean over its fits), runs held out and those
    of them inside the interval."""

    coverage: dict[str, float]
    score: dict[str, float]
    width: dict[str, float]
    winkler: dict[str, float]
    runs: dict[str, float]
    inside: dict[str, float]

    def covered(self, families: Sequence[str]) -> tuple[float, float]:
        """Coverage over these tables: tables counting alike, and runs counting alike."""
        by_table = float(np.mean([self.coverage[f] for f in families]))
        return by_table, sum(self.inside[f] for f in families) / sum(self.runs[f] for f in families)


def figures(records: Sequence[Record], rule: Rule, constants: Constants) -> Figures:
    """How the intervals of a rule fare."""
    kept: dict[str, list[tuple[float, float, float, float]]] = {}
    runs: dict[str, float] = {}
    inside: dict[str, float] = {}
    for r in records:
        step = rule.drift(r, constants) * (np.sqrt(r.decades) if rule.root else r.decades)
        down, up = np.hypot(r.down, step), np.hypot(r.up, step)
        missed = np.maximum(0.0, np.maximum(-down - r.error, r.error - up))
        half, mine = 0.5 * (down + up), np.where(r.error > 0, up, down)
        score = np.log(half) + PENALTY * np.abs(r.error) / mine
        winkler = down + up + 2.0 / (1.0 - LEVEL) * missed
        means = (np.mean(missed == 0.0), np.mean(score), np.mean(down + up), np.mean(winkler))
        runs[r.family] = runs.get(r.family, 0.0) + len(r.error)
        inside[r.family] = inside.get(r.family, 0.0) + float(np.sum(missed == 0.0))
        kept.setdefault(r.family, []).append((float(means[0]), float(means[1]), float(means[2]), float(means[3])))
    table = {family: np.mean(rows, axis=0) for family, rows in kept.items()}
    parts = [{family: float(row[k]) for family, row in table.items()} for k in range(4)]
    return Figures(*parts, runs, inside)


def chosen(tried: dict[Constants, Figures], families: Sequence[str]) -> Constants:
    """The constants of best score on these tables among those whose coverage there is the level, or nearest to it."""

    def off(c: Constants) -> float:
        return max(0.0, abs(float(np.mean(tried[c].covered(families))) - LEVEL) - SLACK)

    return min(tried, key=lambda c: (off(c), float(np.mean([tried[c].score[f] for f in families]))))


def judged(records: Sequence[Record], rule: Rule) -> tuple[Figures, Constants]:
    """Figures of each table with constants chosen on the others, and the constants of all."""
    tried = {c: figures(records, rule, c) for c in rule.constants}
    families = list(next(iter(tried.values())).coverage)
    best = {f: tried[chosen(tried, [g for g in families if g != f])] for f in families}
    parts = [{f: getattr(best[f], name)[f] for f in families} for name in NAMES]
    return Figures(*parts), chosen(tried, families)


def write(constants: Constants) -> None:
    """Put the constants into the toml."""
    text, today = TOML.read_text("utf-8"), datetime.now(UTC).date().isoformat()
    for name, value in zip(("usual_share", "weight_of_measured"), constants, strict=True):
        text = re.sub(rf"(\[{name}\]\nvalue = )[\d.]+", rf"\g<1>{value:g}", text)
    TOML.write_text(re.sub(r"date = [\d-]+", f"date = {today}", text), encoding="utf-8")


def main(arguments: argparse.Namespace) -> int:
    if not folder().is_dir():
        print(f"skipped: no tables at {folder()} (set APPORTION_SHARED)")
        return 0
    records = [r for task in TASKS for cut in cuts(task) if (r := record(cut)) is not None]
    print(f"{len(records)} fits of {len({r.family for r in records})} tables; each judged with constants of the others")
    print(f"{'rule':28} {'tables':>7} {'runs':>7} {'score':>7} {'width':>7} {'Winkler':>8}  constants of all tables")
    last: tuple[Figures, Constants] | None = None
    for rule in RULES:
        last = found, constants = judged(records, rule)
        means = [*found.covered(list(found.coverage)), float(np.mean(list(found.score.values())))]
        sizes = [float(np.exp(np.mean(np.log(list(part.values()))))) for part in (found.width, found.winkler)]
        shown = ", ".join(f"{c:g}" for c in constants) if len(rule.constants) > 1 else ""
        covered = f"{means[0]:7.3f} {means[1]:7.3f}"
        print(f"{rule.name:28} {covered} {means[2]:7.3f} {sizes[0]:7.4f} {sizes[1]:8.4f}  {shown}", flush=True)
    assert last is not None
    print("coverage by table: " + ", ".join(f"{f} {c:.2f}" for f, c in last[0].coverage.items()))
    if arguments.write:
        write(last[1])
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put the constants of all tables into drift.toml")
    sys.exit(main(parser.parse_args()))
