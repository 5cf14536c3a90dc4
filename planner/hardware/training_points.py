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
from planner.hardware.accelerators import accelerator
from planner.hardware.cells import stack
from planner.hardware.columns import Columns, Floats, numbers, require_columns, text
from planner.hardware.shapes import ModelShape, hypothetical_shape, model_shape
from planner.hardware.training import TrainingCell, flops_of, pipeline_bubble, training_cell
from planner.hardware.training_layouts import usual_layout

_DEFAULT_SEQUENCE = 2048.0
_DEFAULT_ACCELERATORS = 1024.0


@dataclass(frozen=True)
class TrainingPoints:
    """Runs as arrays over the supported rows. `total_flops` is NaN where neither tokens nor FLOPs are given.
    Runs as arrays over the supported rows. `total_flops` is NaN where neither tokens nor FLOPs are given."""

    row_count: int
    rows: Any
    cell: TrainingCell
    active_parameters: Floats
    exchanged_parameters: Floats
    flops_per_token: Floats
    total_flops: Floats
    accelerators: Floats
    sequence_known: Any
    reasons: dict[int, str]

    def counted(self, tokens: Any) -> dict[str, Any]:
        """The keywords of `training.busy_seconds` for that many tokens."""
        attention = np.maximum(self.flops_per_token - 6.0 * self.active_parameters, 0.0) * self.sequence_known
        return {"exchanged_parameters": self.exchanged_parameters, "attention_flops": attention * tokens}


def training_points(columns: Columns) -> TrainingPoints:
    """Parse a table (`InvalidInput` if the accelerator, or both model and parameter count, are absent)."""
    require_columns(columns, "accelerator", "model|n_params")
    chips, models, precisions = text(columns, "accelerator"), text(columns, "model"), text(columns, "precision")
    total, active = numbers(columns, "n_params"), numbers(columns, "n_active")
    sequence = numbers(columns, "seq_len", _DEFAULT_SEQUENCE)
    count = numbers(columns, "n_accel", _DEFAULT_ACCELERATORS)
    tokens, flops = numbers(columns, "tokens"), numbers(columns, "flops")
    recompute, container = text(columns, "act_ckpt"), text(columns, "container")
    experts, dates = numbers(columns, "ep"), text(columns, "date")
    sharding = [a or b for a, b in zip(text(columns, "sharding"), text(columns, "fsdp"))]
    layout = {n: numbers(columns, n) for n in ("tp", "pp", "vp", "cp", "global_batch_seqs", "micro_batch")}
    kept: list[tuple[Any, ...]] = []
    reasons: dict[int, str] = {}
    for i, chip in enumerate(chips):
        try:
            shape = _shape(models[i], total[i], _active(total[i], active[i], tokens[i], flops[i]))
            own = {n: v[i] for n, v in layout.items()}
            _check_layout(own, count[i])
            batch = _tokens_between_gathers(own, count[i], sequence[i], sharding[i])
            name = _precision(precisions[i], container[i])
            tensor, stages, bubble = _degree(own["tp"]), _degree(own["pp"]), _bubble(own, count[i])
            unknown = np.isnan(own["tp"]) and np.isnan(own["pp"])
            if unknown and np.isfinite(batch):
                key = (chip, name, float(shape.active_parameters), count[i], batch, sequence[i], shape.is_moe)
                tensor, stages, bubble = usual_layout(*key)
            cell = training_cell(
                chip,
                name,
                is_moe=shape.is_moe,
                full_recompute=recompute[i].lower() in ("true", "full"),
                bubble_share=bubble,
                tensor_parallel=tensor,
                pipeline_parallel=stages,
                global_batch_tokens=batch,
                accelerator_count=count[i],
                maturity_years=_maturity_years(chip, dates[i]),
            )
            per_token = float(flops_of(shape, 1.0, sequence[i]))
            known = _flops(tokens[i] * per_token, flops[i])
            # Experts spread over ranks travel as tokens; each rank's own experts are exchanged as weights.
            exchanged = max(shape.active_parameters, shape.total_parameters / _degree(experts[i]))
            kept.append((i, cell, shape.active_parameters, per_token, known, count[i], exchanged))
        except PlanningError as error:
            reasons[i] = error.message
    column = [np.array([k[j] for k in kept], dtype=np.float64) for j in (2, 3, 4, 5, 6)]
    return TrainingPoints(
        row_count=len(chips),
        rows=np.array([k[0] for k in kept], dtype=np.intp),
        cell=stack(TrainingCell, [k[1] for k in kept]),
        active_parameters=column[0],
        flops_per_token=column[1],
        total_flops=column[2],
        accelerators=column[3],
        exchanged_parameters=column[4],
        sequence_known=~np.isnan(numbers(columns, "seq_len")[[k[0] for k in kept]]),
        reasons=reasons,
    )


def _shape(name: str, total: float, active: float) -> ModelShape:
    """Given counts win; then the named model; then a count in the name (`22B`)."""
    if total > 0:
        used = active if active > 0 else total
        experts = 8.0 if used < 0.95 * total else 1.0
        return hypothetical_shape(used, experts, total_parameters=total)
    stated = re.search(r"(\d+(?:\.\d+)?)\s*([bm])\b", name.lower())
    try:
        return model_shape(re.sub(r"\s*(\(.*\)|pre-training)\s*", "", name))
    except PlanningError:
        if not stated:
            raise
    return hypothetical_shape(float(stated.group(1)) * (1e9 if stated.group(2) == "b" else 1e6))


def _active(total: float, active: float, tokens: float, flops: float) -> float:
    """Stated active parameters; else what the stated FLOPs imply where they are far below 6 N D (unnamed experts)."""
    implied = flops / (6.0 * tokens)
    return implied if np.isnan(active) and 0.01 * total < implied < total / 3.0 else active


def _flops(counted: float, stated: float) -> float:
    """FLOPs counted from tokens; the stated ones where tokens are blank or (words, examples, unnamed
    experts) cannot be meant."""
    if np.isnan(counted) or stated / counted > 3.0 or counted / stated > 3.0:
        return stated
    return counted


def _precision(stated: str, container: str) -> str:
    """Blank means 16-bit, except in the NeMo container tables, whose recipes without a stated precision are
    FP8."""
    if stated:
        return stated.split(" (")[0]
    return "fp8" if container else "bf16"


def _maturity_years(chip: str, date: str) -> float:
    """Years from the accelerator's release to the run (`2024-07` or longer), 0 to 4; 2 if the date is not given."""
    found = re.match(r"(\d{4})-(\d\d)", date)
    released = re.match(r"(\d{4})-(\d\d)", accelerator(chip).release)
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
    if sharding not in ("", "0", "1", "0.0", "1.0") and layout["micro_batch"] > 0:
        micro = layout["micro_batch"] * accelerators / ranks
        sequences = min(sequences, micro) if sequences > 0 else micro
    return sequences * sequence if sequences > 0 else math.inf


def _check_layout(layout: dict[str, float], accelerators: float) -> None:
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
