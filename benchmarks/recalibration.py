"""What twenty measurements of one accelerator and model are worth, and what they say of others.

    python benchmarks/recalibration.py [--data ../shared/data/hardware] [--rows 20] [--seeds 5]

Constants are refitted on random rows of one accelerator and model and predict the rest of its rows. They start from
constants that were fitted without that accelerator, so that nothing but the twenty rows has seen it. `other models`:
rows of the same accelerator, `other accelerators`: rows of the same model. Takes some minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
from hardware_residuals import Array, Columns, read, where
from hardware_serving_fit import UNSEEN, group_key, serving_fit, sound_loop

from planner.hardware import Catalogue, Recalibration, estimate_serving, recalibrate
from planner.hardware.columns import numbers, take_rows

LEAST_ROWS = 40
QUANTITIES = ("tpot", "ttft")


def unseen(accelerator: str) -> Catalogue:
    """Shipped facts with constants that have not seen an accelerator."""
    constants = UNSEEN["without its accelerator", group_key("accelerator", accelerator)]
    nothing_measured = Recalibration(constants, 1.0, 1.0, {}, {}, {}, "", 0, {}, *(float("nan"),) * 4)
    return Catalogue(calibration=nothing_measured)


def errors(table: Columns, catalogue: Catalogue) -> dict[str, Array]:
    """|predicted / measured - 1| of each time, and whether the 80 % interval holds the measurement."""
    found = estimate_serving(table, catalogue)
    result = {}
    for quantity in QUANTITIES:
        measured = numbers(table, f"{quantity}_ms") / 1e3
        value, lower, upper = (
            np.array(found[f"predicted_{quantity}_seconds{end}"]) for end in ("", "_lower", "_upper")
        )
        known = np.isfinite(value) & (measured > 0)
        result[quantity] = np.abs(value / measured - 1.0)[known]
        result[f"{quantity} held"] = ((lower <= measured) & (measured <= upper))[known].astype(float)
    return result


def main() -> None:
    here = Path(os.environ.get("APPORTION_SHARED", Path(__file__).parents[2] / "shared")) / "data" / "hardware"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=here)
    parser.add_argument("--rows", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    if not (arguments.data / "serving_inferencex.csv").is_file():
        print(f"no measurements in {arguments.data}: skipped")
        return
    with contextlib.redirect_stdout(io.StringIO()):
        serving_fit(arguments.data)
    table = read(arguments.data / "serving_inferencex.csv")
    table = where(table, sound_loop(table))
    groups = defaultdict(list)
    for row, pair in enumerate(zip(table["system"], table["model"])):
        groups[pair].append(row)
    pooled: dict[str, list[Array]] = defaultdict(list)
    print(f"after {arguments.rows} rows of one accelerator and model; start: constants without that accelerator")
    print(f"{'accelerator':<10} {'model':<34} {'rest':>4} {'TPOT':>19} {'TTFT':>19} {'TPOT held':>9}")
    for (chip, model), rows in sorted(groups.items()):
        if len(rows) < LEAST_ROWS:
            continue
        each = one_group(table, groups, (chip, model), arguments.rows, arguments.seeds)
        rest, held = len(rows) - arguments.rows, 100.0 * float(np.mean(each["tpot held after"]))
        print(
            f"{chip:<10} {model:<34} {rest:4d} {change(each, 'tpot')} {change(each, 'ttft')} {held:7.0f} %", flush=True
        )
        for name, values in each.items():
            pooled[name].append(values)
    every = {name: np.concatenate(values) for name, values in pooled.items()}
    print("every row of every group and seed (medians of |predicted / measured - 1|):")
    for name in ("tpot", "ttft", "tpot of other models", "tpot of other accelerators"):
        print(f"  {name:<28} {change(every, name)}")
    for quantity in QUANTITIES:
        print(f"  80 % interval of {quantity} holds {100.0 * float(np.mean(every[f'{quantity} held after'])):.1f} %")


def one_group(
    table: Columns, groups: dict[tuple[str, str], list[int]], pair: tuple[str, str], count: int, seeds: int
) -> dict[str, Array]:
    """Errors before and after, of the rest of a group and of the rows that share its accelerator or its model."""
    start, found = unseen(pair[0]), defaultdict(list)
    others = {
        "models": [i for p, r in groups.items() if p[0] == pair[0] and p[1] != pair[1] for i in r],
        "accelerators": [i for p, r in groups.items() if p[0] != pair[0] and p[1] == pair[1] for i in r],
    }
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(groups[pair])
        own = Catalogue(calibration=recalibrate(take_rows(table, order[:count]), start))
        for when, catalogue in (("before", start), ("after", own)):
            for name, values in errors(take_rows(table, order[count:]), catalogue).items():
                found[f"{name} {when}"].append(values)
            for kind, other in others.items():
                if other:
                    found[f"tpot of other {kind} {when}"].append(errors(take_rows(table, other), catalogue)["tpot"])
    return {name: np.concatenate(values) for name, values in found.items()}


def change(errors_by_name: dict[str, Array], name: str) -> str:
    before, after = (100.0 * float(np.median(errors_by_name[f"{name} {when}"])) for when in ("before", "after"))
    return f"{before:5.1f} % -> {after:5.1f} %"


if __name__ == "__main__":
    main()
