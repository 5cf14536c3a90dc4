"""What is fitted and predicted on real runs: per table its law, its usable rows, and cuts that ask to extrapolate.

The law of a table is the form of its own paper. Sweeps of hyper-parameters are reduced to their best runs, as the
papers do; diverged and unfinished runs are left out; large tables of checkpoints are thinned blindly. Runs are cut by
compute: fitted to the cheaper part, to predict the dearer one. Mixtures have no compute: whole mixtures are held out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.fitting import Runs, chosen_rows

Array = NDArray[np.float64]
MOST_ROWS = 600
HELD_SHARES = (0.25, 0.5)  # of the distinct amounts of compute, the dearest
DENSE = {"N": "parameter_count", "D": "token_count", "C": "training_flops"}
CLIP_SETS = ("imagenet1k", "imagenetv2", "imagenet_sketch", "vtab+", "sun397", "vtab/cifar100", "objectnet")


@dataclass(frozen=True)
class Task:
    """One law on the rows of one table.

    `columns` (column -> variable) holds all variables of the law and of the comparisons. `best_of` names the columns
    within whose equal values only the lowest loss counts. `score`: the loss column holds a score, and one minus it is
    fitted.
    """

    name: str
    table: str
    form: str
    where: str = ""
    loss: str = "loss"
    columns: Mapping[str, str] = field(default_factory=lambda: DENSE)
    best_of: tuple[str, ...] = ()
    score: bool = False

    @property
    def family(self) -> str:
        """The table: tasks of one table are not independent."""
        return self.table


@dataclass(frozen=True, eq=False)
class Cut:
    """Variables and losses of a task, divided into rows to fit and rows to predict."""

    task: Task
    name: str
    columns: Mapping[str, Array]
    held: NDArray[np.bool_]

    @property
    def fitted(self) -> Runs:
        """The rows to fit."""
        return Runs.from_columns({k: v[~self.held] for k, v in self.columns.items()})

    @property
    def points(self) -> dict[str, Array]:
        """Variables of the rows to predict."""
        return {k: v[self.held] for k, v in self.columns.items() if k != "loss"}

    @property
    def losses(self) -> Array:
        """Losses of the rows to predict."""
        return self.columns["loss"][self.held]


def _shares(count: int) -> dict[str, str]:
    return {f"share_{k}": f"domain_share_{k}" for k in range(1, count + 1)}


BITS = {"N_nonemb": "parameter_count", "D": "token_count", "C": "training_flops", "w_bits": "weight_bits"}
EXPERTS = {**DENSE, "N_active": "parameter_count", "num_experts": "expert_count"}
EXPERTS.pop("N")
CHARACTERS = {
    "N_nonvocab": "parameter_count", "vocab_size": "vocabulary_size", "embed_dim": "embedding_width",
    "D_characters": "character_count", "C": "training_flops",
}  # fmt: skip
REPEATED = {**DENSE, "unique_tokens": "unique_token_count"}
ROUTED = "is_final == 1 and k == 1 and routing_frequency == 0.5 and loss > 0"
PILE = ("loss_ArXiv", "loss_Books3", "loss_Github", "loss_Pile-CC", "loss_FreeLaw", "loss_Wikipedia_en")

TASKS: tuple[Task, ...] = (
    Task("chinchilla", "chinchilla_epoch", "chinchilla", "in_fit_240 == 1"),
    Task("misfitting", "misfitting_dense", "chinchilla", "is_final == 1", best_of=("N", "D")),
    *(Task(f"marin {c}", "marin_isoflop", "chinchilla", f"corpus == '{c}'") for c in ("comma", "dclm", "nemotron")),
    Task("llama 3", "llama3_isoflop", "chinchilla", loss="loss_plotted"),
    *(
        Task(f"gemstones {s}", "gemstones", "chinchilla", f"schedule == '{s}'")
        for s in ("constant_lr", "constant_lr_half", "cooldown")
    ),
    Task("step law", "steplaw_dense", "chinchilla", loss="loss_smoothed", best_of=("N", "D")),
    Task("vocabulary", "vocab_scaling", "vocabulary", "C > 2.18e17", "loss_unigram_normalised", CHARACTERS),
    Task("vocabulary, curves", "vocab_scaling", "vocabulary-curve", "", "loss_unigram_normalised", CHARACTERS),
    *(
        Task(f"xlstm {f} {c}", "xlstm_llama", "chinchilla", f"family == '{f}' and context == {c} and loss < 7")
        for f, c in (("llama", 2048), ("llama", 8192), ("llama", 16384), ("mlstm", 8192), ("mlstm", 16384))
    ),
    Task("datablations", "datablations", "data-constrained", "in_paper_fit_182 == 1", columns=REPEATED),
    *(
        Task(f"quest {s}", "quest_precision", "weight-precision", f"scheme in {kinds}", columns=BITS)
        for s, kinds in (("weights and activations", ["quest_wa", "bf16"]), ("no hadamard", ["no_hadamard_wa"]))
    ),
    Task("routed", "routed_clark_hash", "routed", ROUTED, columns=EXPERTS),
    *(
        Task(
            f"openclip {s}", "openclip", "monomial-of-compute",
            f"downstream_dataset == '{s}' and upstream_dataset in ['LAION-400M', 'LAION-2B']", "acc1", score=True,
        )
        for s in CLIP_SETS
    ),
    *(
        Task(f"segmentation {f}", "clip_mammut_seg", "power-of-compute", f"family == '{f}'", "miou", DENSE,
             ("N", "D"), True)
        for f in ("clip", "mammut")
    ),
    *(
        Task(f"mixtures {group} {model} {loss.removeprefix('loss_')}", "mixing_laws", f"mixture-{count}",
             f"group == '{group}' and model == '{model}' and step == {step}", loss, _shares(count))
        for group, model, step, count, losses in (
            ("3Mix", "410M", 60000, 3, ("loss_Books3", "loss_Github", "loss_Pile-CC")),
            ("5Mix", "160M", 30000, 5, PILE),
            ("5Mix", "70M", 30000, 5, PILE),
            ("RedPajama", "70M", 30000, 7, PILE),
        )
        for loss in losses
    ),
    Task("dclm core", "dclm_models", "chinchilla-tied", "core_centered_accuracy > 0", "core_centered_accuracy",
         score=True),
    *(
        Task(f"observational {s}", "observational_llms", "compute-sigmoid",
             f"C > 0 and D < 1e14 and {c} > 0", c)
        for s, c in (("mmlu", "acc_mmlu"), ("hellaswag", "acc_hellaswag"), ("arc", "acc_arc_c"))
    ),
)  # fmt: skip


def folder() -> Path:
    """Where the tables are, if anywhere."""
    shared = os.environ.get("APPORTION_SHARED") or Path(__file__).resolve().parents[2] / "shared"
    return Path(shared) / "data" / "runs"


def cuts(task: Task) -> Iterator[Cut]:
    """The divisions of a task's rows."""
    columns = observed(task)
    if "domain_share_1" in columns:
        generator = np.random.default_rng(0)
        for k in range(len(HELD_SHARES)):
            rows = len(columns["loss"])
            held = np.zeros(rows, dtype=bool)
            held[generator.permutation(rows)[: rows // 3]] = True
            yield Cut(task, f"third {k + 1}", columns, held)
        return
    flops = columns["training_flops"]
    levels = np.unique(flops)
    for share in HELD_SHARES:
        held = flops > np.quantile(levels, 1.0 - share)
        yield Cut(task, f"dearest {100 * share:.0f} %", columns, held)


def observed(task: Task) -> dict[str, Array]:
    """Variables and losses of the usable rows (rows,)."""
    runs = Runs.read(folder() / f"{task.table}.csv")
    if task.where:
        runs = runs.take(chosen_rows(runs, task.where))
    wanted = {column: variable for column, variable in task.columns.items() if not column.startswith("share_")}
    found = {variable: runs.column(column).numbers for column, variable in wanted.items()}
    if len(wanted) < len(task.columns):
        parts = np.array([[float(x) for x in cell.split("-")] for cell in _text(runs, "proportions")])
        found |= {f"domain_share_{k + 1}": parts[:, k] for k in range(parts.shape[1])}
    loss = runs.column(task.loss).numbers
    found["loss"] = 1.0 - loss if task.score else loss
    usable = np.all([np.isfinite(v) for v in found.values()], axis=0)
    found = {k: v[usable] for k, v in found.items()}
    if task.best_of:
        found = _best(found, [task.columns[c] for c in task.best_of])
    rows = len(found["loss"])
    if rows > MOST_ROWS:
        kept = np.sort(np.random.default_rng(0).choice(rows, MOST_ROWS, replace=False))
        found = {k: v[kept] for k, v in found.items()}
    return found


def _text(runs: Runs, name: str) -> list[str]:
    return [str(cell) for cell in runs.column(name).cells.tolist()]


def _best(found: Mapping[str, Array], names: list[str]) -> dict[str, Array]:
    """Of the rows that agree in all of `names`, the one of lowest loss."""
    order = np.argsort(found["loss"], kind="stable")
    key: Any = np.stack([found[name][order] for name in names], axis=1)
    _, first = np.unique(key, axis=0, return_index=True)
    return {k: v[order[first]] for k, v in found.items()}
