"""Training time, accelerator-hours and goodput as posynomials of parameters, tokens and accelerators.

time = (products / (accelerators x peak x efficiency) + scaling + pipeline bubble + communication that is not hidden)
x (1 + failures). What a
falling utilisation hides in a factor is written as terms that grow with the accelerator count, so that the
whole stays log-log convex. FLOPs: 6 N D (Kaplan et al. 2020, 2001.08361) + causal attention 6 L h s D
(Korthikanti et al. 2022, 2205.05198); bubble (p - 1)/(v m): Narayanan et al. 2021 (2104.04473); failures:
`goodput.py`. Constants fitted on published step speeds and whole runs: `calibration.toml`, section `training`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from planner.hardware.accelerators import Accelerator, accelerator
from planner.hardware.cells import chip_compute_bytes
from planner.hardware.goodput import Interruptions, interruptions, lost_share
from planner.hardware.links import gather_bytes_per_second, link
from planner.hardware.precisions import precision
from planner.hardware.shapes import ModelShape, depth_times_width
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
    scaling_exponent: extra time share c (G / 1000)^e; gather_exposed and tensor_exposed: shares of the
    communication that products do not hide (see `communication_share`); attention_excess: by how much longer
    attention over pairs takes than products of as many FLOPs; whole_run_*: see `whole_run_share`.
    """

    efficiency: float
    intensity_exponent: float
    size_exponent: float
    width_exponent: float
    moe_time_factor: float
    full_recompute_factor: float
    scaling_share: float
    scaling_exponent: float
    gather_exposed: float
    tensor_exposed: float
    attention_excess: float
    whole_run_factor: float
    whole_run_count_exponent: float
    whole_run_year_factor: float


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
    (see `pipeline_bubble`). `gather_bytes_per_second`: speed of gathering weights and scattering gradients between
    data-parallel ranks; `tensor_bytes_per_second`: bus speed between tensor-parallel ranks;
    `global_batch_tokens`: tokens between two gathers, over all ranks; `maturity_years`: between the accelerator's
    release and the run.
    """

    bf16_flops_per_second: Any
    memory_bytes_per_second: Any
    compute_bytes: Any = 2.0
    is_moe: Any = 0.0
    full_recompute: Any = 0.0
    bubble_share: Any = 0.0
    gather_bytes_per_second: Any = math.inf
    tensor_bytes_per_second: Any = math.inf
    tensor_parallel: Any = 1.0
    pipeline_parallel: Any = 1.0
    global_batch_tokens: Any = 4194304.0
    maturity_years: Any = 2.0


def training_cell(
    accelerator_name: str | Accelerator,
    precision_name: str = "bf16",
    *,
    is_moe: bool = False,
    full_recompute: bool = False,
    bubble_share: float = 0.0,
    tensor_parallel: float = 1.0,
    pipeline_parallel: float = 1.0,
    global_batch_tokens: float = 4194304.0,
    accelerator_count: float = math.inf,
    maturity_years: float = 2.0,
) -> TrainingCell:
    """The constants of one cell. `accelerator_count` (if known) says whether gathering leaves the scale-up domain.

    Raises:
        UnknownName: no such accelerator or precision.
        UnsupportedCombination: the accelerator lacks the precision.
    """
    chip = accelerator(accelerator_name) if isinstance(accelerator_name, str) else accelerator_name
    numbers = precision(precision_name)
    numbers.peak_flops_per_second(chip)
    efficiency = float(calibration("links")["switch_efficiency"])
    return TrainingCell(
        bf16_flops_per_second=chip.bf16_flops_per_second,
        memory_bytes_per_second=chip.memory_bytes_per_second,
        compute_bytes=chip_compute_bytes(numbers.compute, chip.flops_per_second),
        is_moe=float(is_moe),
        full_recompute=float(full_recompute),
        bubble_share=bubble_share,
        gather_bytes_per_second=gather_bytes_per_second(chip, tensor_parallel, accelerator_count),
        tensor_bytes_per_second=efficiency * link(chip, tensor_parallel).bytes_per_second,
        tensor_parallel=float(tensor_parallel),
        pipeline_parallel=float(pipeline_parallel),
        global_batch_tokens=float(global_batch_tokens),
        maturity_years=float(maturity_years),
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
    cell: TrainingCell,
    active_parameters: Any,
    accelerator_count: Any,
    constants: TrainingConstants | None = None,
) -> Any:
    """Time of products, bubble and scaling over (16-bit FLOP time at peak): a posynomial of active parameters and
    accelerator count."""
    c = constants or training_constants()
    scaling = c.scaling_share * (accelerator_count * 1e-3) ** c.scaling_exponent
    return product_share(cell, active_parameters, c) * (1.0 + cell.bubble_share + scaling)


def product_share(cell: TrainingCell, active_parameters: Any, constants: TrainingConstants | None = None) -> Any:
    """Time of the products alone over (16-bit FLOP time at peak): a monomial of active parameters."""
    c = constants or training_constants()
    format_and_recompute = (cell.compute_bytes / 2.0) ** c.width_exponent * c.full_recompute_factor**cell.full_recompute
    return _tuned_share(cell, active_parameters, c) * format_and_recompute


def _tuned_share(cell: TrainingCell, active_parameters: Any, c: TrainingConstants) -> Any:
    base = (_intensity(cell) ** c.intensity_exponent / c.efficiency) * c.moe_time_factor**cell.is_moe
    return base * (active_parameters * 1e-10) ** -c.size_exponent


def _intensity(cell: TrainingCell) -> Any:
    """FLOP per byte of memory traffic at the peaks, over 200."""
    return cell.bf16_flops_per_second / cell.memory_bytes_per_second / 200.0


def whole_run_share(
    cell: TrainingCell, active_parameters: Any, accelerator_count: Any, constants: TrainingConstants | None = None
) -> Any:
    """End-to-end over steady-state time, failures apart: a monomial of active parameters and accelerator count.

    Published steps are of well-tuned layouts; whole runs differ less between sizes and model classes than these, and
    more with scale and with how long the accelerator had been on the market (software matures).
    """
    c = constants or training_constants()
    share = c.whole_run_factor * c.whole_run_year_factor ** (cell.maturity_years - 2.0)
    share = share * (accelerator_count * 1e-3) ** c.whole_run_count_exponent
    return share / _tuned_share(cell, active_parameters, c)


def communication_share(
    cell: TrainingCell,
    active_parameters: Any,
    total_parameters: Any,
    accelerator_count: Any,
    constants: TrainingConstants | None = None,
) -> Any:
    """Time of communication that products do not hide, over (16-bit FLOP time at peak).

    Data parallelism, fully sharded: each accelerator gathers its part of the 16-bit weights twice and scatters
    gradients once per global batch, 3 x 2 N / (t p) bytes (Rajbhandari et al. 2020, 1910.02054), of which
    `gather_exposed` shows. Experts spread over the scale-up domain exchange tokens rather than weights, so that at
    least the active parameters count. Tensor parallelism: four all-reduces per layer and token of h 16-bit numbers,
    16 L h (t - 1) bytes over the group (Shoeybi et al. 2019, 1909.08053), in the path of the products, of which
    `tensor_exposed` shows. Both are posynomials of parameters and accelerator count.
    """
    c = constants or training_constants()
    peak = cell.bf16_flops_per_second
    shard = cell.tensor_parallel * cell.pipeline_parallel * cell.gather_bytes_per_second * cell.global_batch_tokens
    gather = (peak / shard) * accelerator_count * (total_parameters / active_parameters)
    width = depth_times_width(active_parameters) / active_parameters
    tensor = (16.0 / 6.0) * peak * (cell.tensor_parallel - 1.0) / cell.tensor_bytes_per_second * width
    return c.gather_exposed * gather + c.tensor_exposed * tensor


def busy_seconds(
    cell: TrainingCell,
    active_parameters: Any,
    flops: Any,
    accelerator_count: Any,
    constants: TrainingConstants | None = None,
    *,
    exchanged_parameters: Any = None,
    attention_flops: Any = 0.0,
) -> Any:
    """Accelerator-seconds of steady training: products, attention, bubble, scaling, communication.

    Args:
        cell: the discrete choices.
        active_parameters: of a token.
        flops: forward and backward, attention included if it is counted.
        accelerator_count: G.
        constants: instead of the shipped ones.
        exchanged_parameters: what data-parallel ranks gather (default: the active parameters).
        attention_flops: the part of the FLOPs that is attention over pairs, which takes (1 + `attention_excess`)
            times as long as products.
    """
    c = constants or training_constants()
    exchanged = active_parameters if exchanged_parameters is None else exchanged_parameters
    share = step_share(cell, active_parameters, accelerator_count, c)
    share = share + communication_share(cell, active_parameters, exchanged, accelerator_count, c)
    excess = c.attention_excess * attention_flops * step_share(cell, active_parameters, accelerator_count, c)
    return (flops * share + excess) / cell.bf16_flops_per_second


def tokens_per_second_per_accelerator(
    cell: TrainingCell,
    flops_per_token: Any,
    active_parameters: Any,
    accelerator_count: Any,
    constants: TrainingConstants | None = None,
    **counted: Any,
) -> Any:
    """Steady-state training speed (numbers only). `counted` as the keywords of `busy_seconds`, per token."""
    return 1.0 / busy_seconds(cell, active_parameters, flops_per_token, accelerator_count, constants, **counted)


def accelerator_seconds(
    cell: TrainingCell,
    active_parameters: Any,
    flops: Any,
    accelerator_count: Any,
    constants: TrainingConstants | None = None,
    *,
    cause: Interruptions | None = None,
    interval_seconds: Any = None,
    **counted: Any,
) -> Any:
    """Accelerator-seconds of a whole run with failures, restarts, evaluation and other stops.

    `cause` and `interval_seconds` (of checkpoints) as in `goodput.lost_share`; `counted` as in `busy_seconds`.
    """
    c = constants or training_constants()
    steady = busy_seconds(cell, active_parameters, flops, accelerator_count, c, **counted)
    whole = steady * whole_run_share(cell, active_parameters, accelerator_count, c)
    return whole + whole * lost_share(accelerator_count, cause or interruptions(), interval_seconds)


def training_seconds(
    cell: TrainingCell,
    active_parameters: Any,
    flops: Any,
    accelerator_count: Any,
    constants: TrainingConstants | None = None,
    **counted: Any,
) -> Any:
    """Wall-clock seconds of a whole run: a posynomial of parameters, FLOPs and accelerator count."""
    spent = accelerator_seconds(cell, active_parameters, flops, accelerator_count, constants, **counted)
    return spent / accelerator_count


def accelerator_hours(
    cell: TrainingCell,
    active_parameters: Any,
    flops: Any,
    accelerator_count: Any,
    constants: TrainingConstants | None = None,
    **counted: Any,
) -> Any:
    """Accelerator-hours of a whole run."""
    spent = accelerator_seconds(cell, active_parameters, flops, accelerator_count, constants, **counted)
    return spent * (1.0 / 3600.0)


def training_usd(
    cell: TrainingCell,
    active_parameters: Any,
    flops: Any,
    accelerator_count: Any,
    price_usd_per_hour: Any,
    constants: TrainingConstants | None = None,
    **counted: Any,
) -> Any:
    """US dollars of a whole run at a price per accelerator-hour."""
    hours = accelerator_hours(cell, active_parameters, flops, accelerator_count, constants, **counted)
    return hours * price_usd_per_hour


def flops_of(shape: ModelShape, token_count: Any, sequence_tokens: Any = 4096.0) -> Any:
    """`training_flops` of a shape, embeddings looked up rather than multiplied."""
    return training_flops(
        shape.active_parameters,
        token_count,
        attention_flops_per_pair=shape.attention_flops_per_pair,
        sequence_tokens=sequence_tokens,
    )
