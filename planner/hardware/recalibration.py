"""The constants of one stack, as a user's own measurements have refitted them; `recalibrate` makes them.

Three kinds of level multiply times beside the refitted constants: of the whole stack, of one engine with one weight
format, and of one accelerator with one architecture. The first goes wherever the calibration is used, the others where
they recur, so that what was odd about one model is not carried to the next; models that differ in name only
(fine-tuned, quantised) are one architecture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from planner.hardware.cells import ServingCell
from planner.hardware.columns import Floats
from planner.hardware.intervals import Interval
from planner.hardware.serving import ServingConstants
from planner.hardware.shapes import ModelShape, model_shape, model_shape_names


@dataclass(frozen=True)
class Recalibration:
    """Constants and levels of one stack, intervals by quantity, errors before and after.

    `tpot_level` and `ttft_level` multiply the times of every configuration; `engine_levels` the step times of one
    engine and weight format (`vllm fp8`), `group_levels` those of one accelerator and model (`H100-SXM Qwen/Qwen3-32B`,
    an architecture by the first name that the catalogue has for it; its keys are all that was measured). `engine`: on
    which most rows were measured. `intervals` hold for rows whose accelerator and model were measured. `refused`: why
    other rows of the table could not be used. Errors are medians of |predicted / measured - 1|: before, under the
    shipped constants; after, on rows left out of the fit (NaN without a measurement of that kind). `name`: what a store
    keeps it under.
    """

    constants: ServingConstants
    tpot_level: float
    ttft_level: float
    engine_levels: Mapping[str, float] = field(hash=False)
    group_levels: Mapping[str, float] = field(hash=False)
    intervals: Mapping[str, Interval] = field(hash=False)
    engine: str
    row_count: int
    refused: Mapping[int, str] = field(hash=False)
    tpot_error_before: float
    tpot_error_after: float
    ttft_error_before: float
    ttft_error_after: float
    name: str = ""

    def measured(self, accelerators: Sequence[str], shape: ModelShape) -> Any:
        """Row by row: was this accelerator measured with this architecture?"""
        return np.array([group in self.group_levels for group in groups(accelerators, shape)], dtype=bool)

    def step_level(self, engine: str, group: str) -> float:
        """What steps are multiplied by, for one engine with a format and one group (blank: neither was measured)."""
        return self.tpot_level * self.engine_levels.get(engine, 1.0) * self.group_levels.get(group, 1.0)

    def cells(self, cell: ServingCell, shape: ModelShape, engine_names: Sequence[str]) -> ServingCell:
        """The cells (arrays over configurations) with the levels that hold for them."""
        names = zip(engines(engine_names, cell.precision), groups(cell.accelerator, shape))
        return levelled(cell, np.array([self.step_level(*pair) for pair in names]), self.ttft_level)

    def cell(self, cell: ServingCell, architecture: str) -> ServingCell:
        """One cell on the calibration's own engine, serving an architecture (blank: one that does not exist yet)."""
        level = self.step_level(engine_with(self.engine, cell.precision), group_of(cell.accelerator, architecture))
        return levelled(cell, level, self.ttft_level)


def levelled(cell: ServingCell, step_factor: Any, first_token_factor: Any) -> ServingCell:
    """Cells whose steps take `step_factor`, and whose first tokens `first_token_factor` times as long.

    The time to first token is made of prompts and steps, which the step factor has slowed already.
    """
    return replace(
        cell,
        framework_factor=cell.framework_factor * step_factor,
        first_token_factor=cell.first_token_factor * first_token_factor / step_factor,
    )


def engine_with(name: str, precision: str) -> str:
    """What `engine_levels` calls an engine with a weight format."""
    return f"{name} {precision}".strip()


def group_of(accelerator: str, architecture: str) -> str:
    """What `group_levels` calls an accelerator with an architecture."""
    return f"{accelerator} {architecture}"


def engines(names: Sequence[str], precisions: Sequence[str]) -> list[str]:
    """`engine_with` over rows."""
    return [engine_with(*pair) for pair in zip(names, precisions)]


def groups(accelerators: Sequence[str], shape: ModelShape) -> list[str]:
    """`group_of` over rows (`shape`: arrays over them)."""
    _, first, kind = np.unique(np.asarray(shape.name, dtype=str), return_index=True, return_inverse=True)
    labels = [architecture(replace(shape, **{n: v[i] for n, v in vars(shape).items()})) for i in first]
    return [group_of(chip, labels[k]) for chip, k in zip(accelerators, kind)]


def architecture(shape: ModelShape) -> str:
    """The first name in the catalogue of a model with the same layers, width, experts and cache; else its own."""
    return _architectures().get(_sizes(shape), str(shape.name))


def _sizes(shape: ModelShape) -> tuple[float, ...]:
    return tuple(map(float, (shape.layers, shape.hidden, shape.expert_count, shape.kv_bytes_per_token_16bit)))


@cache
def _architectures() -> dict[tuple[float, ...], str]:
    known: dict[tuple[float, ...], str] = {}
    for name in model_shape_names():
        known.setdefault(_sizes(model_shape(name)), name)
    return known


def log_levels(levels: Floats, names: Sequence[str]) -> dict[str, float]:
    """Levels by name from their logarithms."""
    return {name: float(np.exp(level)) for name, level in zip(names, levels)}
