"""Power and energy of serving and training.

What a board draws is what keeps it awake, plus so many joules for every byte that it reads and for every product that
it makes; near its limit it slows its clock, and power saturates at TDP. The law is linear in what is done, so that
energy per token is a posynomial of batch, lengths and parameters; the limit is applied to numbers only, and what the
posynomial says is then an upper bound. Joules per byte hardly differ between generations of stacked memory, joules
per product fall with peak over TDP; both, and the floor, are fitted on boards of three generations (ML.ENERGY, Chung
et al. 2025, 2505.06371; LLM-Inference-Bench; Splitwise, Patel et al. 2024, 2311.18677). Mixtures of experts make more
products than count, padding small groups of tokens. Node overhead: MLPerf training v4.1/v5.0 node power; PUE: Luccioni
et al. 2022 (2211.02001) on why it matters.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from planner.hardware.cells import ServingCell
from planner.hardware.serving import ServingConstants, seconds_per_output_token, step_bytes
from planner.hardware.shapes import ModelShape
from planner.hardware.tables import calibration

JOULES_PER_KWH = 3.6e6


@dataclass(frozen=True)
class EnergyConstants:
    """Fitted constants (`calibration.toml`, section `energy`).

    idle_tdp_share: of TDP, drawn by a board that is awake and waits; joules_per_byte: of device memory;
    product_tdp_share: of TDP, what products at the whole 16-bit peak would draw on top (above 1: no board can);
    moe_product_excess: products of expert layers over those that count, minus 1; cap_exponent: how sharply power bends
    towards TDP.
    """

    idle_tdp_share: float
    joules_per_byte: float
    product_tdp_share: float
    moe_product_excess: float
    cap_exponent: float


@cache
def energy_constants() -> EnergyConstants:
    """The shipped constants."""
    values = calibration("energy")
    return EnergyConstants(**{f.name: float(values[f.name]) for f in fields(EnergyConstants)})


def used_joules_per_output_token(
    shape: ModelShape,
    cell: ServingCell,
    batch: Any,
    input_tokens: Any,
    output_tokens: Any,
    experts_read: Any = None,
    constants: EnergyConstants | None = None,
) -> Any:
    """Joules of a replica's memory reads and products per output token, its share of the prompt included.

    A posynomial of batch, lengths and parameters if `experts_read` is given (see `serving.distinct_experts`).
    """
    c = constants or energy_constants()
    read = step_bytes(shape, cell, batch, input_tokens + 0.5 * output_tokens, experts_read) * cell.accelerators / batch
    padded = 1.0 + c.moe_product_excess * (shape.moe_layers / shape.layers)
    products = 2.0 * shape.active_parameters * (1.0 + input_tokens / output_tokens) * padded
    return c.joules_per_byte * read + (c.product_tdp_share * cell.tdp_watts / cell.bf16_flops_per_second) * products


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
    """Joules per output token of a loaded replica: time awake plus reads and products; a posynomial.

    An upper bound near TDP, where boards slow down (see `board_watts` for numbers). `node_overhead` (CPU, fans,
    conversion) and `pue` (site) are 1 for board energy as ML.ENERGY measures it.
    """
    args = (shape, cell, batch, input_tokens, output_tokens, experts_read)
    awake = energy_constants().idle_tdp_share * cell.tdp_watts * cell.accelerators
    each = awake * seconds_per_output_token(*args, constants) + used_joules_per_output_token(*args)
    return each * (node_overhead * pue)


def board_watts(
    shape: ModelShape,
    cell: ServingCell,
    batch: Any,
    input_tokens: Any,
    output_tokens: Any,
    replica_tokens_per_second: Any,
    constants: EnergyConstants | None = None,
) -> Any:
    """Mean power of one accelerator of a replica that makes so many output tokens per second (numbers only)."""
    c = constants or energy_constants()
    used = used_joules_per_output_token(shape, cell, batch, input_tokens, output_tokens, constants=c)
    drawn = c.idle_tdp_share + used * replica_tokens_per_second / (cell.accelerators * cell.tdp_watts)
    return cell.tdp_watts * tdp_share(drawn, c)


def tdp_share(drawn: Any, constants: EnergyConstants | None = None) -> Any:
    """Share of TDP of a board whose work would draw `drawn` times TDP: u / (1 + u^k)^(1/k), below both u and 1."""
    k = (constants or energy_constants()).cap_exponent
    return drawn / (1.0 + drawn**k) ** (1.0 / k)


def training_power_watts(tdp_watts: Any, *, node_overhead: float | None = None, pue: float | None = None) -> Any:
    """Mean site power per accelerator while training: TDP x share of TDP x node overhead x PUE.

    Defaults from `calibration.toml`: 8 x H100 nodes measured 790 W per 700 W board in training, AC side
    (MLPerf).
    """
    c = calibration("energy")
    node = c["node_overhead"] if node_overhead is None else node_overhead
    site = c["pue"] if pue is None else pue
    return tdp_watts * c["training_tdp_share"] * node * site


def site_factor() -> float:
    """Site energy over board energy: what the nodes round the boards draw, times PUE (`calibration.toml`)."""
    c = calibration("energy")
    return float(c["node_overhead"] * c["pue"])


def training_energy_joules(accelerator_hours: Any, tdp_watts: Any, **overheads: Any) -> Any:
    """Site energy of a run: accelerator-hours x 3600 x power. `overheads` as in `training_power_watts`."""
    return accelerator_hours * 3600.0 * training_power_watts(tdp_watts, **overheads)
