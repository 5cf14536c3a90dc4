"""Training runs and steady-state speeds from the columns of published tables.

A row names a model or gives its parameter counts (`n_params`, `n_active`), an accelerator, and what is
known of layout, precision, sequence length and tokens; blanks take stated defaults. Rows that cannot be run
keep a reason.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.errors import PlanningError
from planner.hardware.accelerators import Accelerator
from planner.hardware.catalogue import SHIPPED, Catalogue
from planner.hardware.cells import stack
from planner.hardware.columns import (
    Columns,
    Floats,
    distinct_rows,
    first_of,
    numbers,
    require_columns,
    row_count,
    take_rows,
    text,
)
from planner.hardware.memory import training_memory_bytes
from planner.hardware.placements import PLACEMENT, placements
from planner.hardware.precisions import precision
from planner.hardware.shapes import ModelShape, hypothetical_shape
from planner.hardware.tables import table
from planner.hardware.training import TrainingCell, flops_of, pipeline_bubble, training_cell
from planner.hardware.training_contexts import trained_context_tokens
from planner.hardware.training_layouts import usual_layout

_ACCELERATOR = ("accelerator", "gpu", "system")
_AS_IN_LAWS = {  # the names that laws and plans use
    "parameter_count": "n_params",
    "active_parameter_count": "n_active",
    "token_count": "tokens",
    "training_flops": "flops",
    "accelerator_count": "n_accel",
}
_CONFIGURATION = (
    *_ACCELERATOR, "model", "benchmark", "task", "precision", "container", "n_params", "seq_len",
    "n_accel", "n_gpus", "num_gpus", "act_ckpt", "date", "sharding", "fsdp", "tp", "pp", "vp", "cp", "ep",
    "global_batch_seqs", "global_batch", "micro_batch", *PLACEMENT,
)  # fmt: skip
_DEFAULT_SEQUENCE = 2048.0
_DEFAULT_ACCELERATORS = 1024.0


@dataclass(frozen=True)
class TrainingPoints:
    """Runs as arrays over the supported rows (`rows` are their positions in the table, `accelerator` their names in the
    catalogue). `total_flops` is NaN where neither tokens nor FLOPs are given, `memory_bytes` (of one accelerator) where
    no microbatch is."""

    row_count: int
    rows: Any
    accelerator: Any
    cell: TrainingCell
    active_parameters: Floats
    exchanged_parameters: Floats
    flops_per_token: Floats
    total_flops: Floats
    accelerators: Floats
    accelerators_known: Any
    attention_flops_per_token: Floats
    sequence_known: Any
    memory_bytes: Floats
    reasons: dict[int, str]

    def counted(self, tokens: Any) -> dict[str, Any]:
        """The keywords of `training.busy_seconds` for that many tokens."""
        attention = self.attention_flops_per_token * self.sequence_known * tokens
        return {"exchanged_parameters": self.exchanged_parameters, "attention_flops": attention}


def training_points(columns: Columns, catalogue: Catalogue = SHIPPED) -> TrainingPoints:
    """Parse a table whose names are those of the catalogue; its columns may be called as in laws and plans.

    Raises:
        InvalidInput: accelerator and cluster, or model and parameter count, are absent.
    """
    columns = {name if (usual := _AS_IN_LAWS.get(name, name)) in columns else usual: c for name, c in columns.items()}
    require_columns(columns, "accelerator|gpu|system|cluster", "model|n_params|benchmark")
    rows_in_all = row_count(columns)
    total, tokens, flops = (numbers(columns, n) for n in ("n_params", "tokens", "flops"))
    active = _active(total, numbers(columns, "n_active"), tokens, flops)
    table_of_kinds = {n: v for n, v in columns.items() if n in _CONFIGURATION} | {"n_active": active.tolist()}
    first, kind_of_row = distinct_rows(table_of_kinds, (*_CONFIGURATION, "n_active"))
    found, faults = _configurations(take_rows(table_of_kinds, first), catalogue)
    usable = np.array([c is not None for c in found], dtype=bool)
    position = np.cumsum(usable) - 1
    wrong = _not_positive({"tokens": tokens, "flops": flops, "n_params": total})
    rows = np.flatnonzero(usable[kind_of_row] & (wrong == "")) if rows_in_all else np.zeros(0, dtype=np.intp)
    at = position[kind_of_row[rows]] if rows_in_all else rows
    kept = [c for c in found if c is not None]

    def over_rows(values: list[Any], kind: Any = np.float64) -> Any:
        return np.array(values, dtype=kind)[at]

    cell = stack(TrainingCell, [c.cell for c in kept])
    per_token = over_rows([c.flops_per_token for c in kept])
    return TrainingPoints(
        row_count=rows_in_all,
        rows=rows,
        accelerator=over_rows([c.accelerator for c in kept], object),
        cell=TrainingCell(**{name: values[at] for name, values in vars(cell).items()}),
        active_parameters=over_rows([c.active_parameters for c in kept]),
        flops_per_token=per_token,
        total_flops=_flops(tokens[rows] * per_token, flops[rows]),
        accelerators=over_rows([c.accelerators for c in kept]),
        accelerators_known=over_rows([c.accelerators_known for c in kept], bool),
        exchanged_parameters=over_rows([c.exchanged_parameters for c in kept]),
        attention_flops_per_token=over_rows([c.attention_flops_per_token for c in kept]),
        sequence_known=over_rows([c.sequence_known for c in kept], bool),
        memory_bytes=over_rows([c.memory_bytes for c in kept]),
        reasons={int(i): wrong[i] or faults[int(kind_of_row[i])] for i in np.setdiff1d(np.arange(rows_in_all), rows)},
    )


def _not_positive(amounts: dict[str, Floats]) -> Any:
    """(rows,) what is wrong with an amount that is stated and cannot be one; "" where nothing is."""
    found = np.full(len(next(iter(amounts.values()))), "", dtype=object)
    for name, values in amounts.items():
        for i in np.flatnonzero(values <= 0.0):
            found[i] = f"{name} = {values[i]:g}: positive"
    return found


@dataclass(frozen=True)
class _Configuration:
    accelerator: str
    cell: TrainingCell
    active_parameters: float
    flops_per_token: float
    accelerators: float
    accelerators_known: bool
    exchanged_parameters: float
    attention_flops_per_token: float
    sequence_known: bool
    memory_bytes: float


def _configurations(columns: Columns, catalogue: Catalogue) -> tuple[list[_Configuration | None], dict[int, str]]:
    places = placements(columns, _ACCELERATOR)
    rules = table("benchmarks")["training"]
    ruled = [rules.get(name, {}) for name in text(columns, "benchmark")]
    models = [name or str(rule.get("model", "")) for name, rule in zip(text(columns, "model"), ruled)]
    stated = [name or str(rule.get("precision", "")) for name, rule in zip(text(columns, "precision"), ruled)]
    given = text(columns, "precision")
    tasks = [name or str(rule.get("task", "")) for name, rule in zip(text(columns, "task"), ruled)]
    total, active, experts = (numbers(columns, n) for n in ("n_params", "n_active", "ep"))
    recompute, container, dates = (text(columns, n) for n in ("act_ckpt", "container", "date"))
    sequence = first_of(
        numbers(columns, "seq_len"),
        np.array([float(rule.get("sequence_tokens", "nan")) for rule in ruled]),
        np.array([trained_context_tokens(name, date) for name, date in zip(models, dates)]),
    )
    count = first_of(*(numbers(columns, n) for n in ("n_accel", "n_gpus", "num_gpus")))
    counted = ~np.isnan(count)
    sharding = [a or b for a, b in zip(text(columns, "sharding"), text(columns, "fsdp"))]
    layout = {n: numbers(columns, n) for n in ("tp", "pp", "vp", "cp", "micro_batch")}
    layout["global_batch_seqs"] = first_of(numbers(columns, "global_batch_seqs"), numbers(columns, "global_batch"))
    found: list[_Configuration | None] = []
    faults: dict[int, str] = {}
    for i, place in enumerate(places):
        try:
            chip = place.chip(catalogue)
            if not counted[i]:
                count[i] = min(_DEFAULT_ACCELERATORS, place.accelerator_limit(catalogue))
            place.require_room(count[i], catalogue)
            shape, frozen = _shape(models[i], total[i], active[i], catalogue), tasks[i] == "lora"
            own = {n: float(v[i]) for n, v in layout.items()}
            tokens_of_a_sequence = sequence[i] if sequence[i] > 0 else _DEFAULT_SEQUENCE
            _check_layout(own, count[i])
            batch = _tokens_between_gathers(own, count[i], tokens_of_a_sequence, sharding[i])
            name, full = _precision(stated[i], container[i]), recompute[i].lower() in ("true", "full")
            if not given[i] and ruled[i] and not precision(name).available_on(chip):
                name = "bf16"  # rules of a benchmark leave the format open
            # Experts spread over ranks travel as tokens; each rank's own experts are exchanged as weights.
            exchanged = max(shape.active_parameters, shape.total_parameters / _degree(experts[i]))
            tensor, stages, bubble = _degree(own["tp"]), _degree(own["pp"]), _bubble(own, count[i])
            if np.isnan(own["tp"]) and np.isnan(own["pp"]) and np.isfinite(batch):
                size = float(shape.active_parameters)
                tensor, stages, bubble = usual_layout(
                    chip, name, size, count[i], batch, tokens_of_a_sequence, shape.is_moe, float(exchanged)
                )
            cell = training_cell(
                chip,
                name,
                is_moe=shape.is_moe,
                full_recompute=full,
                bubble_share=bubble,
                tensor_parallel=tensor,
                pipeline_parallel=stages,
                global_batch_tokens=batch,
                accelerator_count=count[i],
                maturity_years=_maturity_years(chip, dates[i]),
            )
            _check_memory(shape, chip.memory_bytes, count[i], frozen=frozen)
            whole = float(flops_of(shape, 1.0, tokens_of_a_sequence))
            attention = whole - 6.0 * float(shape.active_parameters)
            if frozen:  # weights without gradients: neither computed (2 of 6 N) nor exchanged (1 of 3)
                whole, exchanged = whole - 2.0 * float(shape.active_parameters), exchanged * (2.0 / 3.0)
            found.append(
                _Configuration(
                    accelerator=chip.name,
                    cell=cell,
                    active_parameters=float(shape.active_parameters),
                    flops_per_token=whole,
                    accelerators=float(count[i]),
                    accelerators_known=bool(counted[i]),
                    exchanged_parameters=float(exchanged),
                    attention_flops_per_token=attention,
                    sequence_known=bool(sequence[i] > 0),
                    memory_bytes=_memory(
                        shape, own | {"ep": experts[i]}, count[i], tokens_of_a_sequence, sharding[i], full
                    ),
                )
            )
        except PlanningError as error:
            faults[i] = error.message
            found.append(None)
    return found, faults


def _memory(
    shape: ModelShape, layout: dict[str, float], accelerators: float, sequence: float, sharding: str, full: bool
) -> float:
    """Bytes of one accelerator under a stated layout, NaN if none is; ranks of one sequence hold their part of its
    activations. Where not all is sharded, the optimiser is (ZeRO stage 1), and attention scores are never kept (Dao et
    al. 2022, 2205.14135)."""
    if not sharding and np.isnan(layout["tp"]) and np.isnan(layout["pp"]):
        return math.nan
    tensor, stages, context = (_degree(layout[n]) for n in ("tp", "pp", "cp"))
    return float(
        training_memory_bytes(
            shape,
            micro_batch=layout["micro_batch"],
            sequence_tokens=sequence / context,
            tensor_parallel=tensor,
            pipeline_parallel=stages,
            data_parallel=accelerators / (tensor * stages),
            expert_parallel=layout["ep"] if layout["ep"] > 1 else None,
            zero_stage=3 if _all_sharded(sharding) else 1,
            recompute="full" if full else "selective",
        )
    )


def _all_sharded(sharding: str) -> bool:
    return sharding not in ("", "0", "1", "0.0", "1.0")


def _check_memory(shape: ModelShape, memory_bytes: float, accelerators: float, *, frozen: bool) -> None:
    """States sharded over all accelerators must fit: 16 bytes per parameter with Adam (Rajbhandari et al. 2020,
    1910.02054), the 16-bit weights alone if these are frozen."""
    needed = (2.0 if frozen else 16.0) * shape.total_parameters / accelerators
    if needed > memory_bytes:
        raise PlanningError(
            f"states of {needed:.3g} bytes per accelerator do not fit into {memory_bytes:.3g}, sharded over all"
        )


def _shape(name: str, total: float, active: float, catalogue: Catalogue) -> ModelShape:
    """Given counts win; then the named model; then a count in the name (`22B`)."""
    if total > 0:
        used = active if active > 0 else total
        experts = 8.0 if used < 0.95 * total else 1.0
        return hypothetical_shape(used, experts, total_parameters=total)
    stated = re.search(r"(\d+(?:\.\d+)?)\s*([bm])\b", name.lower())
    try:
        return catalogue.model_shape(re.sub(r"\s*(\(.*\)|pre-training)\s*", "", name))
    except PlanningError:
        if not stated:
            raise
    return hypothetical_shape(float(stated.group(1)) * (1e9 if stated.group(2) == "b" else 1e6))


def _active(total: Floats, active: Floats, tokens: Floats, flops: Floats) -> Floats:
    """Stated active parameters; else what the stated FLOPs imply where they are far below 6 N D (unnamed experts)."""
    implied = flops / (6.0 * tokens)
    unnamed = np.isnan(active) & (implied > 0.01 * total) & (implied < total / 3.0)
    return np.where(unnamed, implied, active)


def _flops(counted: Floats, stated: Floats) -> Floats:
    """FLOPs counted from tokens; the stated ones where tokens are blank or (words, examples, unnamed
    experts) cannot be meant."""
    apart = np.isnan(counted) | (stated / counted > 3.0) | (counted / stated > 3.0)
    return np.where(apart, stated, counted)


def _precision(stated: str, container: str) -> str:
    """Blank means 16-bit, except in the NeMo container tables, whose recipes without a stated precision are
    FP8."""
    if stated:
        return stated.split(" (")[0]
    return "fp8" if container else "bf16"


def _maturity_years(chip: Accelerator, date: str) -> float:
    """Years from the accelerator's release to the run (`2024-07` or longer), 0 to 4; 2 if the date is not given."""
    found = re.match(r"(\d{4})-(\d\d)", date)
    released = re.match(r"(\d{4})-(\d\d)", chip.release)
    if not found or not released:
        return 2.0
    run, release = (float(m.group(1)) + float(m.group(2)) / 12.0 for m in (found, released))
    return min(max(run - release, 0.0), 4.0)


def _degree(value: float) -> float:
    return value if value > 1 else 1.0


def _tokens_between_gathers(layout: dict[str, float], accelerators: float, sequence: float, sharding: str) -> float:
    """Tokens of all ranks between two exchanges of weights: a global batch; a microbatch where all is sharded.

    Unbounded where no batch is stated: what such runs usually spend on exchanges is in their level already.
    """
    ranks = _degree(layout["tp"]) * _degree(layout["pp"]) * _degree(layout["cp"])
    sequences = layout["global_batch_seqs"]
    if _all_sharded(sharding) and layout["micro_batch"] > 0:
        micro = layout["micro_batch"] * accelerators / ranks
        sequences = min(sequences, micro) if sequences > 0 else micro
    return sequences * sequence if sequences > 0 else math.inf


def _check_layout(layout: dict[str, float], accelerators: float) -> None:
    if accelerators < 1:
        raise PlanningError(f"accelerators = {accelerators:g}: at least 1")
    ranks = np.prod([max(1.0, np.nan_to_num(layout[n], nan=1.0)) for n in ("tp", "pp", "cp")])
    if accelerators % ranks:
        raise PlanningError(f"tp x pp x cp = {ranks:g} does not divide {accelerators:g} accelerators")


def _bubble(layout: dict[str, float], accelerators: float) -> float:
    """(p - 1)/(v m) where the layout is given, else 0."""
    v = {n: float(np.nan_to_num(x, nan=0.0)) for n, x in layout.items()}
    if v["pp"] <= 1 or v["global_batch_seqs"] <= 0:
        return 0.0
    ranks = max(v["tp"], 1.0) * v["pp"] * max(v["cp"], 1.0)
    micro_batches = v["global_batch_seqs"] * ranks / (accelerators * max(v["micro_batch"], 1.0))
    return float(pipeline_bubble(v["pp"], max(micro_batches, 1.0), max(v["vp"], 1.0)))
