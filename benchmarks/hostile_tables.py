"""Ten thousand tables of runs as people send them: broken, confused, or too poor for the question.

Each table is made from its number alone: a law of known coefficients, a layout of runs, noise, and one hostility
(`hostile.hostilities`); how it is judged is said in `hostile.judging`. Exit status 1 where there is a crash or a hang,
or where more than one table in a thousand is narrow and wrong.

By default 440 tables spread over the ten thousand, in minutes; `--count 10000` makes them all, in an hour or two. Parts
side by side, and one summary of them:

    python benchmarks/hostile_tables.py --count 5000 --save one.jsonl &
    python benchmarks/hostile_tables.py --first 5000 --count 5000 --save two.jsonl; wait
    python benchmarks/hostile_tables.py --read one.jsonl two.jsonl
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from hostile.judging import HANG_SECONDS, Outcome, judged

TABLES, STRIDE = 10_000, 47  # a stride that meets every table once, and every hostility and form early
COUNT, TOLERATED = 440, 1e-3


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


def verdict(outcomes: Sequence[Outcome]) -> int:
    """The counts that decide, and the exit status."""
    crashes = sum(o.verdict == "crash" for o in outcomes)
    hangs = sum(o.seconds > HANG_SECONDS for o in outcomes)
    narrow = sum(o.narrow_wrong for o in outcomes)
    print(f"{crashes} crashes, {hangs} hangs, {narrow} narrow and wrong (tolerated: {TOLERATED:g} of all)")
    return int(crashes > 0 or hangs > 0 or narrow > TOLERATED * len(outcomes))


def made_and_judged(count: int, first: int, show: str, save: str) -> list[Outcome]:
    """Outcomes of so many tables of the order, each written to the file `save` as soon as it is known."""
    outcomes = []
    if save:
        Path(save).write_text("")
    for k in range(first, first + count):
        o = judged(k * STRIDE % TABLES)
        outcomes.append(o)
        if save:
            with Path(save).open("a") as file:
                file.write(json.dumps(asdict(o)) + "\n")
        if show and (o.narrow_wrong or o.verdict == "crash" if show == "narrow" else o.hostility == show):
            print(f"{o.number} {o.hostility}, {o.form}: {o.verdict} {o.width:.3f} {o.exponent_width:.3f} {o.detail}")
    return outcomes


def read(files: Sequence[str]) -> list[Outcome]:
    """Outcomes of several files, each table once."""
    lines = [json.loads(line) for file in files for line in Path(file).read_text().splitlines()]
    return list({line["number"]: Outcome(**line) for line in lines}.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=COUNT, help=f"number of tables (all: {TABLES})")
    parser.add_argument("--first", type=int, default=0, help="how many to pass over")
    parser.add_argument("--show", default="", help="'narrow' or a hostility: print these tables one by one")
    parser.add_argument("--save", default="", help="file to write what became of each table to, a line each")
    parser.add_argument("--read", nargs="+", default=[], help="files so written: sum them up instead")
    asked = parser.parse_args()
    outcomes = read(asked.read) if asked.read else made_and_judged(asked.count, asked.first, asked.show, asked.save)
    report(outcomes)
    return verdict(outcomes)


if __name__ == "__main__":
    sys.exit(main())
