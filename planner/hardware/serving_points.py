"""Serving configurations from the columns of benchmark tables, as arrays.

Rows that agree in everything but load and lengths are one configuration, which is looked up once. Rows that cannot
be run (unknown accelerator or model, a precision the chip lacks, a layout that does not divide) keep a reason and are
not predicted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from planner.errors import PlanningError
from planner.hardware.accelerators import Accelerator
from planner.hardware.catalogue import SHIPPED, Catalogue
from planner.hardware.cells import ServingCell, serving_cell, stack
from planner.hardware.columns import Columns, Floats, distinct_rows, row_count, take_rows, text, unreadable
from planner.hardware.frameworks import Framework, framework
from planner.hardware.memory import weight_bytes_per_accelerator
from planner.hardware.placements import placements
from planner.hardware.serving_columns import (
    ACCELERATOR,
    CONFIGURATION,
    NUMERIC,
    engines,
    is_whole_batch,
    models,
    parameter_counts,
    read_load,
    require_serving,
    stated_precisions,
)
from planner.hardware.serving_layouts import Degrees, Layout, filled, layouts
from planner.hardware.serving_techniques import Techniques, read_techniques
from planner.hardware.shapes import ModelShape, hypothetical_shape
from planner.hardware.tables import calibration


@dataclass(frozen=True)
class ServingPoints:
    """Configurations as arrays over the supported rows (`rows` are their positions in the table).

    kind: "loop" (closed loop), "batch" (one batch, prompt and answers together) or "split" (prefill and
    decode on separate pools: `prefill_cell`, `prefill_workers`, `decode_workers`; `workers_known` is false
    where the table leaves the counts blank and the usual number of decode workers is assumed). `concurrency` is NaN
    where the load is an arrival rate (`requests_per_second`) or all that fits (`at_capacity`). `host_seconds`: what
    the host spends on each request of a named task. `reasons`: why each other row is unsupported.
    """

    row_count: int
    rows: Any
    shape: ModelShape
    cell: ServingCell
    prefill_cell: ServingCell
    concurrency: Floats
    input_tokens: Floats
    output_tokens: Floats
    decode_workers: Floats
    prefill_workers: Floats
    accelerators: Floats
    kind: Any
    workers_known: Any
    framework: Any
    host_seconds: Floats
    requests_per_second: Floats
    at_capacity: Any
    techniques: Techniques
    reasons: dict[int, str]


@dataclass(frozen=True)
class _Configuration:
    shape: ModelShape
    cell: ServingCell
    prefill_cell: ServingCell
    layout: Layout
    engine: Framework
    engine_name: str
    host_seconds: float


def model_of(
    name: str,
    total_parameters: float = float("nan"),
    active_parameters: float = float("nan"),
    expert_count: float = float("nan"),
    catalogue: Catalogue = SHIPPED,
) -> ModelShape:
    """The shape of a named model; of no or an unknown name with given parameter counts a hypothetical one.

    An expert count without a total is that of a law: the feed-forward block so many times, one of them used. A total
    without a count is taken for the mixtures of today: 64 experts, 4 of them used.
    """
    try:
        return catalogue.model_shape(name)
    except PlanningError:
        if not (total_parameters > 0 or active_parameters > 0):
            raise
    active = active_parameters if active_parameters > 0 else total_parameters
    if not total_parameters > 0:
        return hypothetical_shape(active, max(expert_count, 1.0))
    experts = expert_count if expert_count > 0 else 1.0 if active > 0.95 * total_parameters else 64.0
    used = 4.0 if experts >= 8.0 else 1.0
    return hypothetical_shape(active, experts, experts_per_token=used, total_parameters=total_parameters)


def precision_of(stated: str, model_name: str) -> str:
    """The stated precision; else the one in the model's name; else 16-bit. Weights of gpt-oss are MXFP4, called fp4."""
    if "gpt-oss" in model_name.lower() and stated.lower() in ("", "fp4"):
        return "mxfp4"
    weight = re.match(r"\s*weight\s*=\s*([\w.]+)", stated.lower())
    if weight:
        return {"full_prec": "bf16"}.get(weight.group(1), weight.group(1))
    if stated:
        return stated
    low = model_name.lower()
    for mark, name in (("nvfp4", "fp4"), ("fp8", "fp8"), ("int4", "int4"), ("awq", "int4")):
        if mark in low:
            return name
    return "bf16"


def serving_points(columns: Columns, catalogue: Catalogue = SHIPPED) -> ServingPoints:
    """Parse a table, whose names are those of the catalogue.

    Raises:
        InvalidInput: a needed column is absent (accelerator, model, lengths, batch or concurrency), or columns differ
            in length.
    """
    require_serving(columns)
    count = row_count(columns)
    load = read_load(columns)
    techniques, impossible = read_techniques(columns)
    impossible |= unreadable(columns, NUMERIC)
    first, kind_of_row = distinct_rows(columns, CONFIGURATION)
    found, faults = _configurations(take_rows(columns, first), is_whole_batch(columns), catalogue)
    usable = np.array([c is not None for c in found], dtype=bool)
    position = np.cumsum(usable) - 1
    loaded = (load.in_flight > 0) | (load.requests_per_second > 0) | load.at_capacity
    runs = loaded & (load.input_tokens > 0) & (load.output_tokens > 0)
    stated = ~np.any([np.zeros(count, dtype=bool), *impossible.values()], axis=0)
    supported = usable[kind_of_row] & runs & stated if count else np.zeros(0, dtype=bool)
    rows = np.flatnonzero(supported)
    at = position[kind_of_row[rows]] if count else np.zeros(0, dtype=np.intp)
    kept = [c for c in found if c is not None]
    reasons = {
        int(i): faults.get(int(kind_of_row[i]), "lengths or load are blank or not positive")
        for i in np.flatnonzero(~supported)
    }
    for reason, mask in impossible.items():
        reasons |= dict.fromkeys(np.flatnonzero(mask).tolist(), reason)

    def over_rows(values: list[Any], kind: Any = np.float64) -> Any:
        return np.array(values, dtype=kind)[at]

    cell = _spread(stack(ServingCell, [c.cell for c in kept]), at)
    batch_exponent = over_rows([c.engine.batch_exponent for c in kept])
    if np.any(batch_exponent):
        growth = np.nan_to_num(load.in_flight[rows], nan=1.0) ** batch_exponent
        cell = replace(cell, framework_factor=cell.framework_factor * growth)
    whole = is_whole_batch(columns)
    return ServingPoints(
        row_count=count,
        rows=rows,
        shape=_spread(stack(ModelShape, [c.shape for c in kept]), at),
        cell=cell,
        prefill_cell=_spread(stack(ServingCell, [c.prefill_cell for c in kept]), at),
        concurrency=load.in_flight[rows],
        input_tokens=load.input_tokens[rows],
        output_tokens=load.output_tokens[rows],
        decode_workers=over_rows([c.layout.decode_workers for c in kept]),
        prefill_workers=over_rows([c.layout.prefill_workers for c in kept]),
        accelerators=over_rows([c.layout.accelerators for c in kept]),
        kind=over_rows(["batch" if whole and c.layout.kind == "loop" else c.layout.kind for c in kept], object),
        workers_known=over_rows([c.layout.workers_known for c in kept], bool),
        framework=over_rows([c.engine_name for c in kept], object),
        host_seconds=over_rows([c.host_seconds for c in kept]),
        requests_per_second=load.requests_per_second[rows],
        at_capacity=load.at_capacity[rows],
        techniques=techniques.at(rows),
        reasons=reasons,
    )


def _spread(part: Any, at: Any) -> Any:
    return type(part)(**{name: values[at] for name, values in vars(part).items()})


def _configurations(
    columns: Columns, whole_batch: bool, catalogue: Catalogue
) -> tuple[list[_Configuration | None], dict[int, str]]:
    places = placements(columns, ACCELERATOR)
    names, stated, engine_names = models(columns), stated_precisions(columns), engines(columns)
    total, active, experts = parameter_counts(columns)
    hosts = calibration("task_host_seconds")
    tasks = text(columns, "task")
    found: list[_Configuration | None] = []
    faults: dict[int, str] = {}
    for i, layout in enumerate(layouts(columns)):
        try:
            chip = places[i].chip(catalogue)
            places[i].require_room(layout.accelerators, catalogue)
            shape = model_of(names[i], total[i], active[i], experts[i], catalogue)
            precision_name, engine = (
                precision_of(stated[i], names[i]),
                framework(engine_names[i], whole_batch=whole_batch),
            )
            if layout.open:
                alone = serving_cell(chip, precision_name)
                layout = filled(layout, float(weight_bytes_per_accelerator(shape, alone)), alone.memory_bytes)
            decode, prefill = (
                _cell(chip, precision_name, stated[i], shape, layout, degrees, engine)
                for degrees in (layout.decode, layout.prefill)
            )
            host = float(hosts.get(tasks[i], 0.0))
            found.append(_Configuration(shape, decode, prefill, layout, engine, engine_names[i], host))
        except PlanningError as error:
            faults[i] = error.message
            found.append(None)
    return found, faults


def _cache_bytes(stated: str) -> float | None:
    found = re.search(r"kv cache\s*=\s*(\w+)", stated.lower())
    return {"fp8": 1.0, "int8": 1.0}.get(found.group(1), 2.0) if found else None


def _cell(
    chip: Accelerator,
    precision_name: str,
    stated: str,
    shape: ModelShape,
    layout: Layout,
    degrees: Degrees,
    engine: Framework,
) -> ServingCell:
    tp, pp, dp, ep = degrees
    if layout.fault:
        raise PlanningError(layout.fault)
    if any(d % 1 or d < 1 for d in degrees):
        raise PlanningError("the layout does not divide the accelerators")
    if pp > shape.layers or (shape.kv_shards_max > 1 and max(tp, shape.kv_shards_max) % min(tp, shape.kv_shards_max)):
        raise PlanningError("the layout does not divide the model")
    return serving_cell(
        chip,
        precision_name,
        tensor_parallel=int(tp),
        pipeline_parallel=int(pp),
        attention_data_parallel=int(dp),
        expert_parallel=int(ep),
        kv_bytes_per_element=_cache_bytes(stated),
        engine=engine,
    )
