"""Cells: the discrete choices of a plan, enumerated once, as records and as arrays over them.

A training layout is (accelerator, precision, tensor ways, pipeline ways); a serving layout likewise. A plan's cells
are the product law variants × training layouts × serving layouts; `Product` maps a cell to its three parts and
spreads the parts' constants over the cells, so that one evaluation of a formula covers all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.allocation.assumptions import assumed
from planner.allocation.choices import HardwareChoice
from planner.errors import InvalidInput, PlanningError, UnsupportedCombination, Violation
from planner.hardware import Accelerator, Catalogue, Price, ServingCell, precision, serving_cell
from planner.hardware.carbon import embodied
from planner.hardware.training import TrainingCell, training_cell

Array = NDArray[np.float64]


@dataclass(frozen=True)
class TrainingLayout:
    """One way to train: what on, in which format, cut how, at what price."""

    accelerator: str
    precision: str
    tensor_parallel: int
    pipeline_parallel: int
    price: Price
    cell: TrainingCell
    memory_bytes: float
    tdp_watts: float
    embodied_grams_per_hour: float

    @property
    def model_parallel(self) -> int:
        return self.tensor_parallel * self.pipeline_parallel


@dataclass(frozen=True)
class ServingLayout:
    """One way to serve: the cell's constants, its price, and what making an accelerator emitted, by hour of use."""

    cell: ServingCell
    price: Price
    embodied_grams_per_hour: float

    @property
    def accelerators(self) -> int:
        return int(self.cell.accelerators)


def training_layouts(choice: HardwareChoice, field: str = "hardware") -> tuple[TrainingLayout, ...]:
    """Every training layout of a choice. Raises UnknownName or InvalidInput naming what cannot be used."""
    return _training_layouts(*_key(choice), field)


def serving_layouts(
    choice: HardwareChoice, is_moe: bool, field: str = "hardware", architecture: str = ""
) -> tuple[ServingLayout, ...]:
    """Every serving layout of a choice. Raises UnknownName or InvalidInput naming what cannot be used.

    `architecture`: of the model that is served, where there is one (see `planner.hardware.architecture`).
    """
    return _serving_layouts(*_key(choice), is_moe, field, architecture)


def _key(choice: HardwareChoice) -> tuple[Any, ...]:
    own_prices = tuple(sorted(choice.price_usd_per_hour.items()))
    return choice.accelerators, choice.precisions, choice.price_term, own_prices, choice.catalogue


@lru_cache(maxsize=256)
def _training_layouts(
    names: tuple[str, ...],
    formats: tuple[str, ...],
    term: str,
    own_prices: tuple[tuple[str, float], ...],
    catalogue: Catalogue,
    field: str,
) -> tuple[TrainingLayout, ...]:
    layouts = []
    for chip, offer in _priced(names, term, own_prices, catalogue, field):
        for name in _formats(chip, formats, assumed("training", "precisions"), bool(names), field):
            label, batch = precision(name).name, float(assumed("training", "global_batch_tokens"))
            cells = {
                (t, p): training_cell(chip, name, tensor_parallel=t, pipeline_parallel=p, global_batch_tokens=batch)
                for t in assumed("training", "tensor_parallel")
                for p in assumed("training", "pipeline_parallel")
            }
            layouts += [
                TrainingLayout(
                    chip.name,
                    label,
                    tensor,
                    pipeline,
                    offer,
                    cells[tensor, pipeline],
                    chip.memory_bytes,
                    chip.tdp_watts,
                    embodied(chip).grams_per_hour,
                )
                for tensor in assumed("training", "tensor_parallel")
                for pipeline in assumed("training", "pipeline_parallel")
                if tensor <= chip.scaleup_domain
            ]
    return tuple(sorted(layouts, key=lambda y: y.model_parallel))


@lru_cache(maxsize=256)
def _serving_layouts(
    names: tuple[str, ...],
    formats: tuple[str, ...],
    term: str,
    own_prices: tuple[tuple[str, float], ...],
    catalogue: Catalogue,
    is_moe: bool,
    field: str,
    architecture: str,
) -> tuple[ServingLayout, ...]:
    layouts, engine, own = [], catalogue.engine, catalogue.calibration
    for chip, offer in _priced(names, term, own_prices, catalogue, field):
        for name in _formats(chip, formats, assumed("serving", "precisions"), bool(names), field):
            for tensor in assumed("serving", "tensor_parallel"):
                if tensor > chip.scaleup_domain:
                    continue
                for expert in {1, tensor} if is_moe else {1}:
                    cell = serving_cell(chip, name, tensor_parallel=tensor, expert_parallel=expert, engine=engine)
                    levelled = own.cell(cell, architecture) if own else cell
                    layouts.append(ServingLayout(levelled, offer, embodied(chip).grams_per_hour))
    return tuple(sorted(layouts, key=lambda y: y.accelerators))


def _priced(
    names: tuple[str, ...], term: str, own_prices: tuple[tuple[str, float], ...], catalogue: Catalogue, field: str
) -> list[tuple[Accelerator, Price]]:
    """Accelerators with the offer to price them with; a named one without an offer is an error, others are left out."""
    own = {catalogue.accelerator(name).name: value for name, value in own_prices}
    found = []
    for name in names or catalogue.accelerator_names():
        chip = catalogue.accelerator(name)
        try:
            offer = catalogue.price(chip, term, own.get(chip.name))
        except InvalidInput as error:
            if names or any(v.field == "term" for v in error.violations):
                raise InvalidInput(
                    *(Violation(f"{field}.{_field(v.field)}", v.value, v.allowed) for v in error.violations)
                ) from error
            continue
        if not math.isfinite(chip.tdp_watts):
            if names:
                raise UnsupportedCombination(
                    Violation(f"{field}.accelerators", chip.name, "an accelerator whose power is on record")
                )
            continue
        found.append((chip, offer))
    return found


def _field(name: str) -> str:
    return {"term": "price_term"}.get(name, name)


def _formats(chip: Any, wanted: tuple[str, ...], usual: list[str], named: bool, field: str) -> list[str]:
    """Formats to try: the ones asked for (all must exist on a chip that was named), or the usual ones it has."""
    if not wanted:
        native = [f for f in usual if precision(f).available_on(chip) and precision(f).compute in chip.flops_per_second]
        return native or ["bf16"]
    for name in wanted:
        if named and not precision(name).available_on(chip):
            try:
                precision(name).peak_flops_per_second(chip)
            except PlanningError as error:
                raise UnsupportedCombination(
                    Violation(f"{field}.precisions", name, f"a format that {chip.name} has")
                ) from error
    return [name for name in wanted if precision(name).available_on(chip)]


@dataclass(frozen=True)
class Product:
    """Cells = law variants × training layouts × serving layouts (each possibly a single empty part).

    `experts` is the number of experts a layer of each law variant.
    """

    experts: tuple[float, ...]
    training: tuple[TrainingLayout, ...] = ()
    serving: tuple[ServingLayout, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.experts), max(len(self.training), 1), max(len(self.serving), 1)

    @property
    def cells(self) -> int:
        return math.prod(self.shape)

    def parts(self, cell: int) -> tuple[int, TrainingLayout | None, ServingLayout | None]:
        """Law variant, training layout and serving layout of a cell."""
        variant, t, s = np.unravel_index(cell, self.shape)
        return (
            int(variant),
            self.training[int(t)] if self.training else None,
            self.serving[int(s)] if self.serving else None,
        )

    @cached_property
    def choices(self) -> NDArray[np.intp]:
        """A number per cell, the same for cells that differ only in how the model is cut (variants, chips, formats)."""
        training = [(y.accelerator, y.precision) for y in self.training] or [("", "")]
        serving = [(y.cell.accelerator, y.cell.precision) for y in self.serving] or [("", "")]
        known: dict[Any, int] = {}
        variants = range(len(self.experts))
        numbers = [known.setdefault((v, t, s), len(known)) for v in variants for t in training for s in serving]
        return np.array(numbers, dtype=np.intp)

    @cached_property
    def variants(self) -> NDArray[np.intp]:
        """The law variant of each cell."""
        return self.spread(np.arange(len(self.experts)), 0).astype(np.intp)

    def spread(self, values: Any, axis: int) -> Array:
        """Values along one part (0 law, 1 training, 2 serving) as an array over the cells."""
        shape = [1, 1, 1]
        shape[axis] = -1
        return np.broadcast_to(np.asarray(values, dtype=float).reshape(shape), self.shape).reshape(-1)

    def over_training(self, pick: Callable[[TrainingLayout], float]) -> Array:
        return self.spread([pick(y) for y in self.training], 1)

    def over_serving(self, pick: Callable[[ServingLayout], float]) -> Array:
        return self.spread([pick(y) for y in self.serving], 2)


def spread_training(product: Product) -> TrainingCell:
    """The constants of all cells' training layouts as one `TrainingCell` of arrays."""
    return TrainingCell(**_columns(product, [y.cell for y in product.training], 1))


def spread_serving(product: Product) -> ServingCell:
    """The constants of all cells' serving layouts as one `ServingCell` of arrays."""
    return ServingCell(**_columns(product, [y.cell for y in product.serving], 2))


def _columns(product: Product, cells: Sequence[Any], axis: int) -> dict[str, Any]:
    """Every field of some cells along one part of the product; names are kept from the first, unused."""
    columns = {f.name: [getattr(cell, f.name) for cell in cells] for f in fields(cells[0])}
    return {n: v[0] if isinstance(v[0], str) else product.spread(v, axis) for n, v in columns.items()}
