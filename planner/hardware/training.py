"""Training time, accelerator-hours and goodput as posynomials of parameters, tokens and accelerators.

time = (products / (accelerators x peak x efficiency) + scaling + pipeline bubble) x (1 + failures). What a
falling utilisation hides in a factor is written as terms that grow with the accelerator count, so that the
whole stays log-log convex. FLOPs: 6 N D (Kaplan et al. 2020, 2001.08361) + causal attention 6 L h s D
(Korthikanti et al. 2022, 2205.05198); bubble (p - 1)/(v m): Narayanan et al. 2021 (2104.04473); checkpoint
interval: Young 1974, Daly 2006; failure rate: Llama 3 report (2407.21783), 419 unexpected interruptions in
54 days on 16,384 accelerators. Constants fitted on published step speeds and whole runs:
`calibration.toml`, section `training`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from planner.hardware.accelerators import accelerator
from planner.hardware.cells import chip_compute_bytes
from planner.hardware.precisions import precision
from planner.hardware.shapes import ModelShape
from planner.hardware.tables import calibration


@dataclass(frozen=True)
class TrainingConstants:
    """Fitted constants. Efficiencies are shares of the dense 16-bit peak; width exponents as in serving.

    efficiency: dense model of 1e10 active parameters, 16-bit, few accelerators of 200 FLOP per byte of
    memory traffic;
    intensity_exponent: time grows with (FLOP per byte / 200)^e, because attention, norms and optimiser run
    at memory speed;
    size_exponent: time falls with (active parameters / 1e10)^-e, because wider products are better fed;
    moe_time_factor: how much longer MoE layers take than their FLOPs say; width_exponent: time ~ (operand
    bytes / 2)^width_exponent of the 16-bit time; scaling_share and
    scaling_exponent: extra time share c (G / 1000)^e; whole_run_factor x (active parameters / 1e10)^
    whole_run_size_exponent: end-to-end over steady-state time (what wide products gain, slower layouts of large models
    lose again); whole_run_moe_factor: the same for MoE runs over dense ones.
    """

    efficiency: float
    intensity_exponent: float
    size_exponent: float
    width_exponent: float
    moe_time_factor: float
    full_recompute_factor: float
    scaling_share: float
    scaling_exponent: float
    whole_run_factor: float
    whole_run_size_exponent: float
    whole_run_moe_factor: float
    failure_accelerator_hours: float
    checkpoint_seconds: float
    restart_seconds: float


@cache
def training_constants() -> TrainingConstants:
    """The shipped constants."""
    values = calibration("training")
    return TrainingConstants(**{f.name: float(values[f.name]) for f in fields(TrainingConstants)})


@dataclass(frozen=True)
class TrainingCell:
    """Discrete choices of a training run; numbers may be arrays over cells.

    `bf16_flops_per_second` is the 16-bit peak; `compute_bytes` the operand width of the products (2 bf16, 1
    fp8, 0.5 fp4). `bubble_share`: (p - 1)/(v m) of a 1F1B pipeline with p stages, v chunks, m microbatches
    (see `pipeline_bubble`).
    """

    bf16_flops_per_second: Any
    memory_bytes_per_second: Any
    compute_bytes: Any = 2.0
    is_moe: Any = 0.0
    full_recompute: Any = 0.0
    bubble_share: Any = 0.0


def training_cell(
    accelerator_name: str,
    precision_name: str = "bf16",
    *,
    is_moe: bool = False,
    full_recompute: bool = False,
    bubble_share: float = 0.0,
) -> TrainingCell:
    """The constants of one cell.

    Raises:
        UnknownName: no such accelerator or precision.
        UnsupportedCombination: the accelerator lacks the precision.
    """
    chip, numbers = accelerator(accelerator_name), precision(precision_name)
    numbers.peak_flops_per_second(chip)
    return TrainingCell(
        bf16_flops_per_second=chip.bf16_flops_per_second,
        memory_bytes_per_second=chip.memory_bytes_per_second,
        compute_bytes=chip_compute_bytes(numbers.compute, chip.flops_per_second),
        is_moe=float(is_moe),
        full_recompute=float(full_recompute),
        bubble_share=bubble_share,
    )


def pipeline_bubble(pipeline_parallel: Any, micro_batches: Any, interleave: Any = 1.0) -> Any:
    """Idle share (p - 1)/(v m) of a one-forward-one-backward pipeline (Narayanan et al. 2021, 2104.04473,
    eq. 2)."""
    return (pipeline_parallel - 1.0) / (interleave * micro_batches)


def training_flops(
    active_parameters: Any, token_count: Any, *, attention_flops_per_pair: Any = 0.0, sequence_tokens: Any = 0.0
) -> Any:
    """Forward and backward FLOPs: 6 N_active D, plus causal attention at 3 x forward, s/2 keys per query."""
    attention = 1.5 * attention_flops_per_pair * sequence_tokens * token_count
    return 6.0 * active_parameters * token_count + attention


def step_share(
    cell: TrainingCell, active_parameters: Any, accelerator_count: Any, constants: TrainingConstants | None = None
) -> Any:
    """Time over (16-bit FLOP time at peak): 1/MFU as a posynomial of active parameters and accelerator
    count."""
    c = constants or training_constants()
    base = (cell.compute_bytes / 2.0) ** c.width_exponent / c.efficiency
    base = base * (cell.bf16_flops_per_second / cell.memory_bytes_per_second / 200.0) ** c.intensity_exponent
    base = base * c.moe_time_factor**cell.is_moe * c.full_recompute_factor**cell.full_recompute
    size = (active_parameters * 1e-10) ** -c.size_exponent
    scaling = c.scaling_share * (accelerator_count * 1e-3) ** c.scaling_exponent
    return base * size * (1.0 + cell.bubble_share + scaling)


def tokens_per_second_per_accelerator(
    cell: TrainingCell,
    flops_per_token: Any,
    active_parameters: Any,
    accelerator_count: Any,
    constants: TrainingConstants | None = None,
) -> Any:
    """Steady-state training speed (numbers only)."""
    share = step_share(cell, active_parameters, accelerator_count, constants)
    return cell.bf16_flops_per_second / (flops_per_token * share)


def failure_loss(accelerator_count: Any, constants: TrainingConstants | None = None) -> Any:
    """Share of time lost to checkpoints, redone work and restarts: sqrt(2 delta / M) + (restart) / M, M = M1 /
    G.

    The first term is the loss at the best checkpoint interval sqrt(2 delta M) (Young 1974; Daly 2006).
    """
    c = constants or training_constants()
    per_accelerator = c.failure_accelerator_hours * 3600.0
    rate = accelerator_count * (1.0 / per_accelerator)
    return (2.0 * c.checkpoint_seconds * rate) ** 0.5 + c.restart_seconds * rate


def checkpoint_interval_seconds(accelerator_count: Any, constants: TrainingConstants | None = None) -> Any:
    """The interval that loses least: sqrt(2 delta M) (Young 1974; Daly 2006)."""
    c = constants or training_constants()
    return (2.0 * c.checkpoint_seconds * c.failure_accelerator_hours * 3600.0 / accelerator_count) ** 0.5


def accelerator_seconds(
    cell: TrainingCell,
    active_parameters: Any,
    flops: Any,
    accelerator_count: Any,
    constants: TrainingConstants | None = None,
) -> Any:
    """Accelerator-seconds of a whole run with restarts, evaluation and other stops."""
    c = constants or training_constants()
    steady = flops / cell.bf16_flops_per_second * step_share(cell, active_parameters, accelerator_count, c)
    whole = steady * c.whole_run_factor * (active_parameters * 1e-10) ** c.whole_run_size_exponent
    whole = whole * c.whole_run_moe_factor**cell.is_moe
    return whole + whole * failure_loss(accelerator_count, c)


def training_seconds(
    cell: TrainingCell,
    active_parameters: Any,
    flops: Any,
    accelerator_count: Any,
    constants: TrainingConstants | None = None,
) -> Any:
    """Wall-clock seconds of a whole run: a posynomial of parameters, FLOPs and accelerator count."""
    return accelerator_seconds(cell, active_parameters, flops, accelerator_count, constants) / accelerator_count


def accelerator_hours(
    cell: TrainingCell,
    active_parameters: Any,
    flops: Any,
    accelerator_count: Any,
    constants: TrainingConstants | None = None,
) -> Any:
    """Accelerator-hours of a whole run."""
    return accelerator_seconds(cell, active_parameters, flops, accelerator_count, constants) * (1.0 / 3600.0)


def training_usd(
    cell: TrainingCell,
    active_parameters: Any,
    flops: Any,
    accelerator_count: Any,
    price_usd_per_hour: Any,
    constants: TrainingConstants | None = None,
) -> Any:
    """US dollars of a whole run at a price per accelerator-hour."""
    return accelerator_hours(cell, active_parameters, flops, accelerator_count, constants) * price_usd_per_hour


def flops_of(shape: ModelShape, token_count: Any, sequence_tokens: Any = 4096.0) -> Any:
    """`training_flops` of a shape, embeddings looked up rather than multiplied."""
    return training_flops(
        shape.active_parameters,
        token_count,
        attention_flops_per_pair=shape.attention_flops_per_pair,
        sequence_tokens=sequence_tokens,
    )
