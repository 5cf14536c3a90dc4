"""Laws on real runs: fitted to the cheaper part by compute, they predict the dearest; errors, intervals, and peers.

Every task of `runs_tasks` (a table with the law of its own paper) is cut twice. Shown per table is the median absolute
relative error of the predictions of the held-out runs (of a metric that may be negative: absolute, in its unit) by
- the law of the table, with the share of runs inside its 80 % interval;
- with `--auto`, what `--form auto` chooses and fits, with its intervals;
- Chinchilla's plain form, the best of M1 to M4 (chosen on a split of the fitted runs) and a broken law over compute;
- with `--package`, the package `chinchilla` (on the first cut of each task with `--thin`: it takes minutes a fit).
For the law and for `auto` it says which methods beat them by more than noise (see `runs_scores`). `--keep` names a file
to which forecasts are added and from which those already there are taken. The tables are not shipped: skipped where
absent.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from runs_peers import package, plain
from runs_scores import LEVEL, Forecast, Scored, coverage, keep, kept, rivals_ahead, scored, table_error
from runs_tasks import TASKS, Cut, Task, cuts, folder

from planner.errors import PlanningError
from planner.fitting import FittedLaw, fit_best, fit_law

DRAWS = 200
NAMES = {"law": "law", "auto": "auto", "chinchilla": "chinchilla", "package": "package", "curve": "M1-M4",
         "broken": "BNSL"}  # fmt: skip
OURS = ("law", "auto")


def by_law(method: str, law: FittedLaw, cut: Cut) -> Forecast:
    """A law's predictions of the held-out runs."""
    found = law.predict(cut.points, LEVEL)
    return Forecast(method, law.form.form_name, found.loss, found.lower, found.upper)


def forecasts(cut: Cut, known: dict[str, Forecast], arguments: argparse.Namespace) -> Iterator[Forecast]:
    """What is still to be forecast of a cut."""
    try:
        if "law" not in known:
            yield by_law("law", fit_law(cut.fitted, cut.task.form, bootstrap=DRAWS), cut)
        if arguments.auto and "auto" not in known:
            yield by_law("auto", fit_best(cut.fitted, bootstrap=DRAWS), cut)
        if "broken" not in known:
            with np.errstate(all="ignore"):
                yield from (Forecast(name, name, guess) for name, guess in plain(cut))
    except PlanningError as refusal:
        print(f"{cut.task.name}, {cut.name}, refused: {refusal.message}", flush=True)
    if arguments.package and "package" not in known and (not arguments.thin or cut.name == next(cuts(cut.task)).name):
        guess = package([cut])
        if isinstance(guess, str):
            print(f"package chinchilla: {guess}", flush=True)
        elif guess[0] is not None:
            yield Forecast("package", "package", guess[0])


def main(arguments: argparse.Namespace) -> int:
    if not folder().is_dir():
        print(f"skipped: no tables at {folder()} (set APPORTION_SHARED)")
        return 0
    start = time.perf_counter()
    known = kept(arguments.keep) if arguments.keep else {}
    found: list[Scored] = []
    for task in TASKS:
        if not _asked(task, arguments.tasks):
            continue
        for cut in cuts(task):
            said = known.get((task.name, cut.name), {})
            for forecast in forecasts(cut, said, arguments):
                said = {**said, forecast.method: forecast}
                if arguments.keep:
                    keep(arguments.keep, cut, forecast)
            found.append(scored(cut, said.values()))
            print(_line(found[-1]), flush=True)
    _tables(found)
    print(f"{time.perf_counter() - start:.0f} seconds")
    return 0


def _line(cut: Scored) -> str:
    """A cut in a line."""
    errors = ", ".join(
        f"{NAMES[method]} {np.median(cut.errors(method)):.4f}" for method in NAMES if method in cut.forecasts
    )
    forms = "/".join(cut.forecasts[method].form for method in OURS if method in cut.forecasts)
    return f"{cut.task}, {cut.cut}, {len(cut.observed)} held: {errors}  ({forms})"


def _tables(found: Sequence[Scored]) -> None:
    """Errors by table, who is ahead of us by more than noise, and coverage."""
    print(
        f"\n{'table':20} {'cuts':>4} "
        + " ".join(f"{name:>10}" for name in NAMES.values())
        + "  ahead by more than noise"
    )
    for family in dict.fromkeys(cut.family for cut in found):
        mine = [cut for cut in found if cut.family == family]
        cells, ahead = [], []
        for method in NAMES:
            having = [cut for cut in mine if method in cut.forecasts]
            number = f"{table_error(having, method):.4f}" if having else "-"
            cells.append(number + (f"({len(having)})" if 0 < len(having) < len(mine) else ""))
            if having and method in OURS:
                ahead.append(f"of {method}: {', '.join(rivals_ahead(mine, method, NAMES)) or 'none'}")
        print(f"{family:20} {len(mine):4} " + " ".join(f"{c:>10}" for c in cells) + "  " + "; ".join(ahead))
    for ours in OURS:
        if any(ours in cut.forecasts for cut in found):
            print(f"{ours}: {coverage(found, ours)}")
        for method in NAMES:
            both = [cut for cut in found if ours in cut.forecasts and method in cut.forecasts]
            if both and method != ours:
                families = {cut.family for cut in both}
                parts = [[cut for cut in both if cut.family == family] for family in families]
                ratio = np.mean([np.log(table_error(part, method) / table_error(part, ours)) for part in parts])
                print(f"error of {NAMES[method]} over that of {ours}: {np.exp(ratio):.2f}, mean of {len(parts)} tables")


def _asked(task: Task, names: Sequence[str]) -> bool:
    return not names or any(task.name.startswith(name) for name in names)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", help="beginnings of the names of tasks; all unless said")
    parser.add_argument("--auto", action="store_true", help="also what `--form auto` chooses: minutes")
    parser.add_argument("--package", action="store_true", help="also the package chinchilla: many minutes")
    parser.add_argument("--thin", action="store_true", help="the package on one cut a task")
    parser.add_argument("--keep", type=Path, help="file of forecasts to add to and to go on from")
    sys.exit(main(parser.parse_args()))
