"""Serving configurations from the columns of published benchmark tables.

Understands the column sets of InferenceX exports (aggregated and disaggregated sets, closed loop of
`concurrency` users), of batch benchmarks (`batch_size` whole batches, `n_devices`) and of ML.ENERGY. Rows
that cannot be run (unknown accelerator or model, a precision the chip lacks, a layout that does not divide)
keep a reason and are not predicted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from planner.errors import PlanningError
from planner.hardware.cells import ServingCell, serving_cell, stack
from planner.hardware.columns import Columns, Floats, first_of, numbers, require_columns, text
from planner.hardware.frameworks import Framework, framework
from planner.hardware.shapes import ModelShape, hypothetical_shape, model_shape
from planner.hardware.tables import calibration

_GPU_COLUMNS = "system|hardware|accelerator|gpu"


@dataclass(frozen=True)
class ServingPoints:
    """Configurations as arrays over the supported rows (`rows` are their positions in the table).

    kind: "loop" (closed loop), "batch" (one batch, prompt and answers together) or "split" (prefill and
    decode on separate pools: `prefill_cell`, `prefill_workers`, `decode_workers`; `workers_known` is false
    where the table leaves the counts blank and the usual number of decode workers is assumed). `host_seconds`: what
    the host spends on each request of a named task. `reasons`:
    why each other row is unsupported.
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
    reasons: dict[int, str]


def model_of(name: str, total_parameters: float = float("nan"), active_parameters: float = float("nan")) -> ModelShape:
    """The shape of a named model; of an unknown name with given parameter counts a hypothetical one."""
    try:
        return model_shape(name)
    except PlanningError:
        if not total_parameters > 0:
            raise
    active = active_parameters if active_parameters > 0 else total_parameters
    experts = 1.0 if active > 0.95 * total_parameters else 64.0
    return hypothetical_shape(
        active, experts, experts_per_token=4.0 if experts > 1 else 1.0, total_parameters=total_parameters
    )


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


def _cache_bytes(stated: str) -> float | None:
    found = re.search(r"kv cache\s*=\s*(\w+)", stated.lower())
    return {"fp8": 1.0, "int8": 1.0}.get(found.group(1), 2.0) if found else None


def serving_points(columns: Columns) -> ServingPoints:
    """Parse a table.

    Raises:
        InvalidInput: a needed column is absent (accelerator, model, lengths, batch or concurrency).
    """
    require_columns(columns, _GPU_COLUMNS, "model", "isl|input_len|avg_output_len", "osl|output_len|avg_output_len")
    require_columns(columns, "concurrency|batch_size|max_num_seqs|avg_batch_size")
    chips = next(text(columns, n) for n in _GPU_COLUMNS.split("|") if n in columns)
    models = text(columns, "model")
    stated = [
        a or b or c
        for a, b, c in zip(text(columns, "precision"), text(columns, "quant"), text(columns, "weight_precision"))
    ]
    total = numbers(columns, "total_params_b") * 1e9
    active = numbers(columns, "active_params_b") * 1e9
    layouts = _layouts(columns)
    whole_batch = _is_whole_batch(columns)
    engines = [framework(name, whole_batch=whole_batch) for name in text(columns, "framework")]
    in_flight = first_of(
        numbers(columns, "concurrency"),
        numbers(columns, "avg_batch_size"),
        numbers(columns, "max_num_seqs"),
        numbers(columns, "batch_size") * np.maximum(1.0, numbers(columns, "attn_dp", 1.0)),
    )
    inputs = first_of(numbers(columns, "isl"), numbers(columns, "input_len"), _task_prompts(columns))
    outputs = first_of(numbers(columns, "osl"), numbers(columns, "output_len"), numbers(columns, "avg_output_len"))
    kept: list[tuple[Any, ...]] = []
    reasons: dict[int, str] = {}
    for i, layout in enumerate(layouts):
        try:
            if not (in_flight[i] > 0 and inputs[i] > 0 and outputs[i] > 0):
                raise PlanningError("lengths or batch are blank")
            shape = model_of(models[i], total[i], active[i])
            precision_name = precision_of(stated[i], models[i])
            growth = float(in_flight[i]) ** engines[i].batch_exponent
            cells = [
                _cell(chips[i], precision_name, stated[i], shape, degrees, engines[i], growth)
                for degrees in (layout.decode, layout.prefill)
            ]
            kept.append((i, shape, cells[0], cells[1], layout))
        except PlanningError as error:
            reasons[i] = error.message
    rows = np.array([k[0] for k in kept], dtype=np.intp)
    return ServingPoints(
        row_count=len(chips),
        rows=rows,
        shape=stack(ModelShape, [k[1] for k in kept]),
        cell=stack(ServingCell, [k[2] for k in kept]),
        prefill_cell=stack(ServingCell, [k[3] for k in kept]),
        concurrency=in_flight[rows],
        input_tokens=inputs[rows],
        output_tokens=outputs[rows],
        decode_workers=np.array([k[4].decode_workers for k in kept], dtype=np.float64),
        prefill_workers=np.array([k[4].prefill_workers for k in kept], dtype=np.float64),
        accelerators=np.array([k[4].accelerators for k in kept], dtype=np.float64),
        kind=np.array(["batch" if whole_batch and k[4].kind == "loop" else k[4].kind for k in kept], dtype=object),
        workers_known=np.array([k[4].workers_known for k in kept], dtype=bool),
        framework=np.array([f.lower() for f in text(columns, "framework")], dtype=object)[rows],
        host_seconds=_task_host_seconds(columns)[rows],
        reasons=reasons,
    )


def _is_whole_batch(columns: Columns) -> bool:
    """Tables that give a batch but neither users nor a limit of sequences measure one batch from start to
    end."""
    return "concurrency" not in columns and "max_num_seqs" not in columns


def _task_prompts(columns: Columns) -> Floats:
    """Prompt lengths of benchmark tasks that do not state them (`calibration.toml`, section
    `task_prompt_tokens`)."""
    known = calibration("task_prompt_tokens")
    return np.array([float(known.get(t, known["other"])) for t in text(columns, "task")])


def _task_host_seconds(columns: Columns) -> Floats:
    """Seconds that the host spends on each request, one after the other (pictures and videos take most): 0 where no
    task is named."""
    known = calibration("task_host_seconds")
    return np.array([float(known.get(t, 0.0)) for t in text(columns, "task")])


@dataclass(frozen=True)
class _Layout:
    decode: tuple[float, float, float, float]  # tensor, pipeline, attention data parallel, expert parallel
    prefill: tuple[float, float, float, float]
    decode_workers: float
    prefill_workers: float
    accelerators: float
    kind: str
    workers_known: bool = True


def _layouts(columns: Columns) -> list[_Layout]:
    count = len(next(iter(columns.values()))) if columns else 0
    gpus = first_of(numbers(columns, "n_gpus"), numbers(columns, "n_devices"), numbers(columns, "num_gpus"))
    plain = {n: numbers(columns, n) for n in ("tp", "pp", "attn_dp", "moe_ep", "ep")}
    split = {
        f"{side}_{n}": numbers(columns, f"{side}_{n}")
        for side in ("prefill", "decode")
        for n in ("num_workers", "tp_size", "pp_size", "attention_dp_size", "moe_ep_size")
    }
    modes, ways = text(columns, "mode"), text(columns, "parallelism")
    names, whole_batch = text(columns, "framework"), _is_whole_batch(columns)
    split_way = ["pp" if framework(name, whole_batch=whole_batch).layer_split else "" for name in names]
    return [
        _split_layout({n: v[i] for n, v in split.items()}, gpus[i])
        if modes[i] == "disagg"
        else _plain_layout({n: v[i] for n, v in plain.items()}, gpus[i], ways[i].lower() or split_way[i])
        for i in range(count)
    ]


def _at_least_one(value: float) -> float:
    return value if value > 1 else 1.0


def _plain_layout(v: dict[str, float], gpus: float, way: str) -> _Layout:
    """One pool. Of stated degrees that multiply to more than the accelerators, the tensor degree gives way.
    One pool. Of stated degrees that multiply to more than the accelerators, the tensor degree gives way."""
    pp, dp = _at_least_one(v["pp"]), _at_least_one(v["attn_dp"])
    ep = _at_least_one(v["moe_ep"] if v["moe_ep"] > 0 else v["ep"])
    tp = v["tp"]
    if np.isnan(gpus):
        gpus = _at_least_one(tp) * pp * dp
    if way:
        stated = [float(n) for n in re.findall(r"\((\d+)\)|= (\d+)", way) for n in n if n]
        pipeline = "pipeline" in way or re.search(r"\bpp\b", way)
        tensor = "tensor" in way or re.search(r"\btp\b", way)
        pp = (stated[-1] if stated and tensor else gpus) if pipeline else pp
        ep = gpus if re.search(r"\bep\b", way) else ep
    if np.isnan(tp) or tp * pp * dp > gpus:
        tp = gpus / (pp * dp)
    elif tp * pp * dp < gpus and tp > 0:
        dp = gpus / (tp * pp)  # the rest of the accelerators hold other sequences
    degrees = (tp, pp, dp, min(ep, tp * dp))
    return _Layout(degrees, degrees, 1.0, 1.0, gpus, "loop")


def _split_layout(v: dict[str, float], gpus: float) -> _Layout:
    """Separate pools; where worker counts are blank (exports lose them), one prefill worker and the usual
    decode workers."""
    pools = {}
    for side in ("prefill", "decode"):
        tp, pp, dp = (_at_least_one(v[f"{side}_{n}"]) for n in ("tp_size", "pp_size", "attention_dp_size"))
        pools[side] = (tp, pp, dp, min(_at_least_one(v[f"{side}_moe_ep_size"]), tp * dp))
    size = {side: float(np.prod(p[:3])) for side, p in pools.items()}
    prefill_workers = _at_least_one(v["prefill_num_workers"])
    decode_workers = v["decode_num_workers"]
    workers_known = not np.isnan(decode_workers)
    if not workers_known:
        decode_workers = float(calibration("split_pools")["usual_decode_workers"])
    if np.isnan(gpus):
        gpus = prefill_workers * size["prefill"] + decode_workers * size["decode"]
    return _Layout(
        pools["decode"], pools["prefill"], _at_least_one(decode_workers), prefill_workers, gpus, "split", workers_known
    )


def _cell(
    chip: str,
    precision_name: str,
    stated: str,
    shape: ModelShape,
    degrees: tuple[float, float, float, float],
    engine: Framework,
    growth: float,
) -> ServingCell:
    tp, pp, dp, ep = degrees
    if any(d % 1 for d in degrees):
        raise PlanningError("the layout does not divide the accelerators")
    if pp > shape.layers or (shape.kv_shards_max > 1 and max(tp, shape.kv_shards_max) % min(tp, shape.kv_shards_max)):
        raise PlanningError("the layout does not divide the model")
    cell = serving_cell(
        chip,
        precision_name,
        tensor_parallel=int(tp),
        pipeline_parallel=int(pp),
        attention_data_parallel=int(dp),
        expert_parallel=int(ep),
        kv_bytes_per_element=_cache_bytes(stated),
        engine=engine,
    )
    return replace(cell, framework_factor=cell.framework_factor * growth)
