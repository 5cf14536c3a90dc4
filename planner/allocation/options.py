"""Every way to serve a model: layouts x batch sizes, each with the metrics of as many replicas as the load needs.

All are evaluated at once on arrays, whole replicas included, so that picking among them is exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.allocation.assumptions import assumed
from planner.allocation.cells import ServingLayout, serving_layouts
from planner.allocation.choices import Workload
from planner.allocation.problem import DeploymentProblem
from planner.errors import InvalidInput, Violation
from planner.hardware import ModelShape, ServingCell, architecture, hypothetical_shape
from planner.hardware.carbon import carbon_grams, grid
from planner.hardware.cells import stack
from planner.hardware.energy import board_watts, site_factor
from planner.hardware.memory import serving_memory_fraction
from planner.hardware.percentiles import percentile_factor
from planner.hardware.queueing import replicas_needed, utilisation_limit
from planner.hardware.serving import ServingConstants, first_token, serving_constants, stalled_step
from planner.hardware.serving_techniques import Techniques, prompt_seconds, token_seconds

Array = NDArray[np.float64]
HOUR = 3600.0
KILOGRAMS = 1e-3  # per gram


@dataclass(frozen=True)
class Options:
    """Every option: arrays (layouts, batches) of metrics, and which of them fit at all."""

    layouts: tuple[ServingLayout, ...]
    batches: Array
    fits: NDArray[np.bool_]
    metrics: Mapping[str, Array]

    def at(self, where: tuple[int, int]) -> dict[str, float]:
        """The metrics of one option."""
        return {name: float(values[where]) for name, values in self.metrics.items()}

    def within(self, limits: Mapping[str, float]) -> NDArray[np.bool_]:
        """Which options fit and meet the limits."""
        allowed = self.fits.copy()
        for name, limit in limits.items():
            allowed &= self.metrics[name] <= limit
        return allowed

    def best_batches(self, objective: str, allowed: NDArray[np.bool_]) -> list[tuple[int, int]]:
        """Each layout at its best batch size, best layout first; ties go to the faster, then the smaller."""
        keys = (self.metrics[objective], self.metrics["tpot_seconds"], self.metrics["accelerator_count"])
        order = np.lexsort([np.where(allowed, k, np.inf).reshape(-1) for k in reversed(keys)])
        best: dict[int, tuple[int, int]] = {}
        for index in order[: int(allowed.sum())]:
            row, column = divmod(int(index), self.fits.shape[1])
            best.setdefault(row, (row, column))
        return list(best.values())

    def runners_up(self, best: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Runners-up: first each other accelerator and format at its best, then other layouts."""

        def kind(choice: tuple[int, int]) -> tuple[str, str]:
            cell = self.layouts[choice[0]].cell
            return str(cell.accelerator), str(cell.precision)

        leaders: dict[tuple[str, str], tuple[int, int]] = {}
        for choice in best:
            leaders.setdefault(kind(choice), choice)
        others = [choice for choice in leaders.values() if choice != best[0]]
        return others + [choice for choice in best[1:] if choice not in others]


def served_shape(problem: DeploymentProblem) -> ModelShape:
    """The model that is served: a known one, or what follows from a parameter count."""
    if problem.model:
        return problem.hardware.catalogue.model_shape(problem.model)
    return hypothetical_shape(problem.parameter_count, float(problem.expert_count))


def served_architecture(problem: DeploymentProblem, shape: ModelShape) -> str:
    """What a calibration knows the model by; nothing where it does not exist yet."""
    return architecture(shape) if problem.model else ""


def batch_sizes() -> Array:
    """Batch sizes that are tried: all up to 16, then in steps of at most 10 %."""
    largest = int(assumed("serving", "largest_batch"))
    sizes = np.unique(np.round(np.geomspace(1, largest, 96)).astype(int))
    return np.union1d(np.arange(1, 17), sizes).astype(float)


def weighed(problem: DeploymentProblem, shape: ModelShape) -> Options:
    """All options of a problem. Raises InvalidInput where there is nothing to serve on."""
    layouts = serving_layouts(problem.hardware, shape.is_moe, architecture=served_architecture(problem, shape))
    if not layouts:
        raise InvalidInput(Violation("hardware", "nothing", "an accelerator with a price and a format it has"))
    batches = batch_sizes()
    cells: ServingCell = stack(ServingCell, [y.cell for y in layouts])
    column = {n: getattr(cells, n).reshape(-1, 1) for n in ServingCell.__dataclass_fields__}
    cell = ServingCell(**column)
    load = problem.workload
    inputs, outputs = load.input_token_count, load.output_token_count
    constants = problem.hardware.catalogue.serving_constants
    constants = constants or serving_constants()
    prompt, step = _prompt_and_token(load, shape, cell, batches, constants)
    tpot = stalled_step(cell, batches, outputs, prompt, step, constants)
    ttft = first_token(cell, batches, prompt, step, constants)
    request_seconds = ttft + outputs * tpot
    replicas = np.ceil(np.maximum(replicas_needed(load.requests_per_second, request_seconds, batches), 1e-9) - 1e-9)
    chips = replicas * cell.accelerators
    price = np.array([[y.price.price_usd_per_hour] for y in layouts])
    per_hour = chips * price
    tokens_per_second = load.requests_per_second * outputs
    in_flight = np.minimum(load.requests_per_second * request_seconds / replicas, batches)
    lengths = (np.maximum(in_flight, 1.0), inputs, outputs)
    watts = board_watts(shape, cell, *lengths, tokens_per_second / replicas) * chips
    intensity, embodied = grid(problem.hardware.grid_zone), np.array([[y.embodied_grams_per_hour] for y in layouts])
    joules = watts / tokens_per_second
    hours = chips / (tokens_per_second * HOUR)
    grams = carbon_grams(joules * site_factor(), hours, intensity.grams_co2e_per_kwh, embodied)
    memory = serving_memory_fraction(shape, cell, batches, inputs + outputs)
    largest = problem.hardware.max_accelerator_count or assumed("serving", "max_accelerator_count")
    metrics: dict[str, Any] = {
        "tpot_seconds": tpot * percentile_factor("tpot", load.latency_percentile, input_per_output=inputs / outputs),
        "ttft_seconds": ttft * percentile_factor("ttft", load.latency_percentile, steps_to_first_token=ttft / tpot),
        "usd_per_million_tokens": per_hour / (tokens_per_second * HOUR) * 1e6,
        "serving_usd_per_hour": per_hour,
        "joules_per_token": joules,
        "kgco2e_per_million_tokens": grams * KILOGRAMS * 1e6,
        "power_watts": watts,
        "memory_bytes": memory * cell.memory_bytes,
        "accelerator_count": chips,
        "replica_count": replicas,
        "utilisation": in_flight / batches,
        "output_tokens_per_second": replicas * batches / (request_seconds / outputs) * utilisation_limit(),
    }
    fits = (memory <= 1.0) & (chips <= largest) & np.isfinite(tpot) & np.isfinite(ttft)
    return Options(layouts, batches, fits, {n: np.broadcast_to(m, fits.shape) for n, m in metrics.items()})


def _prompt_and_token(
    load: Workload, shape: ModelShape, cell: ServingCell, batches: Array, constants: ServingConstants
) -> tuple[Any, Any]:
    """Seconds of a prompt on its own and of an output token, with what the workload caches and drafts."""
    known = (np.nan if value is None else value for value in (load.acceptance_rate, load.draft_step_share))
    how = Techniques(load.prefix_hit_share, float(load.draft_token_count), *known)
    inputs, context = load.input_token_count, load.input_token_count + 0.5 * load.output_token_count
    prompt = prompt_seconds(shape, cell, inputs, 1.0, how, constants)
    return prompt, token_seconds(shape, cell, batches, context, how, constants)
