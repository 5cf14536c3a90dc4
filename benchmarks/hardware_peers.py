"""Other tools beside the hardware models, asked the same measured rows in the same run.

    python benchmarks/hardware_peers.py [--data ../shared/data/hardware] [--rows 60] [--environments FOLDER]

Each peer is installed in an environment of its own (thrown away, or kept in FOLDER) and asked through a script in
`benchmarks/peers`; nothing here imports it, and the tables that one of them ships are read by itself alone. A peer that
cannot be installed is skipped with a message. The figures of these models are those with the accelerator, then the
model, of the row left out of the fit (of whole batches: out of the factors of their engines); the peers' are as they
come. Takes some minutes, most of it to install.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hardware_power_fit import power_fit
from hardware_residuals import LEFT, Array, Columns, read, where
from hardware_serving_fit import LOOP, batch_fit, serving_fit, sound_loop

from planner.hardware import model_shape
from planner.hardware.columns import numbers
from planner.hardware.serving_points import serving_points
from planner.hardware.tables import table as hardware_table

HERE = Path(__file__).parent
WAYS = {"accelerator": "without its accelerator", "model": "without its model"}
LLAMA = ("meta-llama/Llama-3.1-70B", "meta-llama/Llama-3.1-8B-Instruct")
BATCH_SYSTEMS = ("Nvidia A100 GPU", "Nvidia H100 GPU")
BATCH_ENGINES = ("vLLM", "TensorRT-LLM")


@dataclass(frozen=True)
class Question:
    """Measured rows: their columns, the measured value of each quantity, and log errors of models that had not seen
    their accelerator or their model."""

    rows: list[dict[str, Any]]
    measured: dict[str, Array]
    errors: dict[tuple[str, str], Array]

    def some(self, wanted: list[bool], count: int) -> Question:
        """At most `count` of the wanted rows, drawn at random."""
        found = np.flatnonzero(wanted)
        drawn = np.sort(np.random.default_rng(0).choice(found, min(count, len(found)), replace=False))
        return Question(
            [self.rows[i] for i in drawn],
            {name: values[drawn] for name, values in self.measured.items()},
            {name: values[drawn] for name, values in self.errors.items()},
        )


@dataclass(frozen=True)
class Peer:
    """A package, its pinned version, the script that asks it, and what it is asked."""

    package: str
    version: str
    script: str
    question: Question


def serving_question(data: Path) -> Question:
    """Closed loops of one pool: time per token and time to the first."""
    columns = read(data / "serving_inferencex.csv")
    columns = where(columns, sound_loop(columns))
    serving_fit(data)
    points = next(iter(LOOP.values())).points
    measured = {"tpot_seconds": numbers(columns, "tpot_ms")[points.rows] / 1e3}
    measured["ttft_seconds"] = numbers(columns, "ttft_ms")[points.rows] / 1e3
    errors = {}
    for way, how in WAYS.items():
        errors["tpot_seconds", way], errors["ttft_seconds", way] = LOOP[how].errors[:2]
    return Question(_rows(columns, points.rows), measured, errors)


def batch_question(data: Path) -> Question:
    """Whole batches: seconds from the first prompt to the last token."""
    columns = read(data / "serving_argonne.csv")
    batch_fit(data)
    points = serving_points(columns)
    shapes = {entry["name"]: entry for entry in hardware_table("models")["model"]}
    rows = _rows(columns, points.rows)
    for row in rows:
        row["shape"] = {k: v for k, v in shapes[model_shape(row["model"]).name].items() if not k.endswith("date")}
    speed = numbers(columns, "total_tok_s")[points.rows]
    tokens = numbers(columns, "batch_size") * (numbers(columns, "input_len") + numbers(columns, "output_len"))
    # The residual is of speed; a batch takes as much longer as it is slower.
    errors = {("batch_seconds", way): -LEFT["output_tokens_per_second, batch", how][0] for way, how in WAYS.items()}
    return Question(rows, {"batch_seconds": tokens[points.rows] / speed}, errors)


def energy_question(data: Path) -> Question:
    """Board energy of an output token, nothing else measured."""
    columns = read(data / "energy_mlenergy.csv")
    power_fit(data)
    errors = {("joules_per_token", way): LEFT["joules_per_token", how][0] for way, how in WAYS.items()}
    rows = _rows(columns, np.arange(len(columns["model"])))
    return Question(rows, {"joules_per_token": numbers(columns, "energy_j_per_token")}, errors)


def _rows(columns: Columns, chosen: Any) -> list[dict[str, Any]]:
    return [{name: values[i] for name, values in columns.items()} for i in chosen]


def peers(data: Path, count: int) -> list[Peer]:
    serving, batch, energy = serving_question(data), batch_question(data), energy_question(data)
    any_loop = serving.some([True] * len(serving.rows), count)
    llama = serving.some([row["model"] in LLAMA for row in serving.rows], count)
    known = [row["hardware"] in BATCH_SYSTEMS and row["framework"] in BATCH_ENGINES for row in batch.rows]
    dense = batch.some([k and "experts" not in row["shape"] for k, row in zip(known, batch.rows)], 2 * count)
    return [
        Peer("aiconfigurator", "0.12.0", "ask_aiconfigurator.py", any_loop),
        Peer("genz-llm", "0.0.16", "ask_genz.py", llama),
        Peer("llm-analysis", "0.2.2", "ask_llm_analysis.py", dense),
        Peer("ecologits", "0.11.3", "ask_ecologits.py", energy.some([True] * len(energy.rows), 5 * count)),
    ]


def ask(peer: Peer, folder: Path) -> list[dict[str, float] | None] | None:
    """The peer's answers, row by row; None where it cannot be installed or run."""
    place = folder / peer.package
    python = place / "bin" / "python"
    if not python.exists():
        venv.create(place, with_pip=True)
        wanted = [str(python), "-m", "pip", "install", "--quiet", f"{peer.package}=={peer.version}"]
        installed = subprocess.run(wanted, capture_output=True, text=True, check=False)
        if installed.returncode:
            print(f"{peer.package}: skipped, cannot be installed ({installed.stderr.strip().splitlines()[-1:]})")
            return None
    asked = folder / f"{peer.package}.json"
    asked.write_text(json.dumps(peer.question.rows), encoding="utf-8")
    run = subprocess.run(
        [str(python), str(HERE / "peers" / peer.script), str(asked)], capture_output=True, text=True, check=False
    )
    if run.returncode:
        print(f"{peer.package}: skipped, cannot be run ({run.stderr.strip().splitlines()[-1:]})")
        return None
    answers: list[dict[str, float] | None] = json.loads(run.stdout.strip().splitlines()[-1])
    return answers


def median_error(log_error: Array) -> str:
    return f"{100 * float(np.median(np.abs(np.expm1(log_error)))):5.1f} %"


def compare(peer: Peer, answers: list[dict[str, float] | None]) -> None:
    """One line a quantity, on the rows that the peer answers."""
    answered = np.array([answer is not None for answer in answers])
    if not answered.any():
        print(f"{peer.package:<16} answers none of {len(answers)} rows")
        return
    given = [answer for answer in answers if answer is not None]
    seconds = float(np.median([answer["seconds"] for answer in given]))
    for quantity, measured in peer.question.measured.items():
        predicted = np.array([answer[quantity] for answer in given])
        error = np.log(predicted / measured[answered])
        ours = [median_error(peer.question.errors[quantity, way][answered]) for way in WAYS]
        print(
            f"{peer.package:<16}{quantity:<18}{answered.sum():>5} of {len(answers):<6}{median_error(error):>9}"
            f"{float(np.exp(np.median(error))):>9.2f}x{ours[0]:>12}{ours[1]:>12}{seconds:>14.2g}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = Path(os.environ.get("APPORTION_SHARED", HERE.parents[1] / "shared"))
    parser.add_argument("--data", type=Path, default=shared / "data" / "hardware")
    parser.add_argument("--rows", type=int, default=60)
    parser.add_argument("--environments", type=Path)
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        sys.exit(print(f"skipped: no measurements in {arguments.data.name}") or 0)
    with contextlib.redirect_stdout(io.StringIO()):
        asked = peers(arguments.data, arguments.rows)
    print(f"{'':<34}{'rows':<10}{'median':>12}{'ratio to':>10}{'ours, not seen its':>24}{'CPU s':>14}")
    print(f"{'peer':<16}{'quantity':<18}{'answered':<13}{'error':>9}{'measured':>10}{'accelerator':>12}{'model':>12}")
    with tempfile.TemporaryDirectory() as thrown_away:
        folder = arguments.environments or Path(thrown_away)
        folder.mkdir(parents=True, exist_ok=True)
        for peer in asked:
            answers = ask(peer, folder)
            if answers is not None:
                compare(peer, answers)


if __name__ == "__main__":
    main()
