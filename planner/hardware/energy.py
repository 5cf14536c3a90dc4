"""Power and energy of serving and training.

Boards seldom draw their TDP: measured text serving draws 0.46-0.97 of it. Serving power is TDP times a
monomial of the sequences and active parameters per accelerator, of sparsity and of the weight format
(fitted on the ML.ENERGY benchmark, Chung et al. 2025, 2505.06371) in programs, and a power law of how much of the
memory speed and of the product peak is used where a throughput is known or estimated (`utilised_power_watts`); a
monomial times a time posynomial is an
energy posynomial. A minimum is not log-log convex, so the cap by TDP applies to numbers only
(`capped_power_watts`). Node and facility overhead: MLPerf training v4.1/v5.0 node power; PUE: Luccioni et
al. 2022 (2211.02001) on why it matters.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from planner.hardware.cells import ServingCell
from planner.hardware.serving import ServingConstants, seconds_per_output_token, step_bytes
from planner.hardware.shapes import ModelShape
from planner.hardware.tables import calibration


def serving_power_watts(shape: ModelShape, cell: ServingCell, batch: Any) -> Any:
    """Mean board power of one accelerator while it serves (watts, not capped): a monomial of batch and
    parameters."""
    c = calibration("energy")
    share = c["serving_tdp_share"] * (batch / cell.accelerators) ** c["batch_exponent"]
    share = share * (shape.active_parameters * 1e-9 / cell.accelerators) ** c["active_exponent"]
    share = share * (shape.total_parameters / shape.active_parameters) ** c["sparsity_exponent"]
    return cell.tdp_watts * share * (cell.weight_bytes_per_parameter / 2.0) ** c["width_exponent"]


def utilised_power_watts(
    shape: ModelShape,
    cell: ServingCell,
    batch: Any,
    input_tokens: Any,
    output_tokens: Any,
    replica_tokens_per_second: Any,
) -> Any:
    """Mean board power of one accelerator at a known throughput (watts, at most TDP; numbers only).

    TDP x share x (memory use)^a x (product use)^b, use = achieved over peak bytes/s and FLOP/s: what an accelerator
    draws follows from what it does, whichever model makes it do so. Throughput is in output tokens of the replica.
    """
    c = calibration("energy")
    step = batch / replica_tokens_per_second
    memory = step_bytes(shape, cell, batch, input_tokens + 0.5 * output_tokens) / (step * cell.memory_bytes_per_second)
    tokens = replica_tokens_per_second * (1.0 + input_tokens / output_tokens)
    products = 2.0 * shape.active_parameters * tokens / (cell.accelerators * cell.peak_flops_per_second)
    share = c["use_tdp_share"] * memory ** c["memory_use_exponent"] * products ** c["product_use_exponent"]
    return cell.tdp_watts * np.clip(share, c["idle_tdp_share"], 1.0)


def capped_power_watts(shape: ModelShape, cell: ServingCell, batch: Any) -> Any:
    """`serving_power_watts` between the idle floor and TDP (numbers only)."""
    floor = calibration("energy")["idle_tdp_share"] * cell.tdp_watts
    return np.clip(serving_power_watts(shape, cell, batch), floor, cell.tdp_watts)


def joules_per_output_token(
    shape: ModelShape,
    cell: ServingCell,
    batch: Any,
    input_tokens: Any,
    output_tokens: Any,
    experts_read: Any = None,
    constants: ServingConstants | None = None,
    *,
    node_overhead: float = 1.0,
    pue: float = 1.0,
) -> Any:
    """Joules per output token of a loaded replica: board power x accelerators x time per token.

    Times `unsteady_factor`: benchmarks spend some of their energy while the batch is not full.
    `node_overhead` (CPU, fans, conversion) and `pue` (site) are 1 for board energy as ML.ENERGY measures it.
    """
    power = serving_power_watts(shape, cell, batch) * cell.accelerators
    each = seconds_per_output_token(shape, cell, batch, input_tokens, output_tokens, experts_read, constants)
    return power * each * (calibration("energy")["unsteady_factor"] * node_overhead * pue)


def training_power_watts(tdp_watts: Any, *, node_overhead: float | None = None, pue: float | None = None) -> Any:
    """Mean site power per accelerator while training: TDP x share of TDP x node overhead x PUE.

    Defaults from `calibration.toml`: 8 x H100 nodes measured 790 W per 700 W board in training, AC side
    (MLPerf).
    """
    c = calibration("energy")
    node = c["node_overhead"] if node_overhead is None else node_overhead
    site = c["pue"] if pue is None else pue
    return tdp_watts * c["training_tdp_share"] * node * site


def training_energy_joules(accelerator_hours: Any, tdp_watts: Any, **overheads: Any) -> Any:
    """Site energy of a run: accelerator-hours x 3600 x power. `overheads` as in `training_power_watts`."""
    return accelerator_hours * 3600.0 * training_power_watts(tdp_watts, **overheads)
