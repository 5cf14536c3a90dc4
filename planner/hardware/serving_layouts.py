"""How the accelerators of a benchmark row are divided: degrees of one replica, replicas, pools.

Columns of degrees (`tp`, `pp`, `attn_dp`, `moe_ep`), words (`TP`, `Hybrid TP = 2 and PP = 2`), or codes (`DEP4`,
`TP1PP2`); separate prefill and decode pools; or nothing but the count, in which case tensor parallelism takes all of
it, or, where a benchmark leaves the layout open, as few as hold the weights.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from planner.errors import PlanningError
from planner.hardware.columns import Columns, first_of, numbers, text
from planner.hardware.frameworks import framework
from planner.hardware.serving_columns import COUNT, engines, is_whole_batch
from planner.hardware.tables import calibration

Degrees = tuple[float, float, float, float]  # tensor, pipeline, attention data parallel, expert parallel
_OPEN_LAYOUT_FILL = 0.6  # of the memory with weights at most, so that a cache fits beside them


@dataclass(frozen=True)
class Layout:
    """Degrees of a decode (and of a prefill) worker, how many there are, accelerators in all.

    kind: loop or split; `workers_known` is false where an export lost the counts; `open`: the table does not say how
    the accelerators are divided; `fault`: why it cannot be.
    """

    decode: Degrees
    prefill: Degrees
    decode_workers: float
    prefill_workers: float
    accelerators: float
    kind: str
    workers_known: bool = True
    open: bool = False
    fault: str = ""


def layouts(columns: Columns) -> list[Layout]:
    """The layout of every row."""
    count = len(next(iter(columns.values()))) if columns else 0
    gpus = first_of(*(numbers(columns, n) for n in COUNT))
    plain = {n: numbers(columns, n) for n in ("tp", "pp", "dp", "attn_dp", "moe_ep", "ep")}
    split = {
        f"{side}_{n}": numbers(columns, f"{side}_{n}")
        for side in ("prefill", "decode")
        for n in ("num_workers", "tp_size", "pp_size", "attention_dp_size", "moe_ep_size")
    }
    modes, ways, codes = text(columns, "mode"), text(columns, "parallelism"), text(columns, "parallel")
    whole_batch = is_whole_batch(columns)
    split_way = ["pp" if framework(n, whole_batch=whole_batch).layer_split else "" for n in engines(columns)]
    unsaid = "benchmark" in columns and not ("tp" in columns or "parallel" in columns)
    found = []
    for i in range(count):
        if modes[i] == "disagg":
            found.append(_split({n: v[i] for n, v in split.items()}, gpus[i]))
            continue
        degrees = {n: v[i] for n, v in plain.items()} | _coded(codes[i])
        found.append(_plain(degrees, gpus[i], ways[i].lower() or split_way[i]))
    return [replace(layout, open=True) for layout in found] if unsaid else found


def filled(layout: Layout, weight_bytes: float, memory_bytes: float) -> Layout:
    """An open layout as replicas of as few accelerators as hold the weights."""
    tensor = 1.0
    while weight_bytes / tensor > _OPEN_LAYOUT_FILL * memory_bytes and tensor < layout.accelerators:
        tensor *= 2.0
    if layout.accelerators % tensor:
        raise PlanningError("the weights need more accelerators than divide the system")
    degrees = (tensor, 1.0, 1.0, 1.0)
    return replace(layout, decode=degrees, prefill=degrees, decode_workers=layout.accelerators / tensor)


def _coded(code: str) -> dict[str, float]:
    """`DEP4`: attention data parallel and expert parallel; `TEP8`: tensor and expert parallel; `TP1PP2`."""
    parts = {kind: float(n) for kind, n in re.findall(r"([A-Z]+)(\d+)", code.upper())}
    found: dict[str, float] = {}
    for kind, n in parts.items():
        if kind in ("DEP", "DTP", "DP"):
            found |= {"attn_dp": n, "tp": 1.0}
        if kind in ("TP", "TEP"):
            found["tp"] = n
        if kind in ("DEP", "TEP", "EP"):
            found["moe_ep"] = n
        if kind == "PP":
            found["pp"] = n
    return found


def _at_least_one(value: float) -> float:
    return value if value > 1 else 1.0


def _plain(v: dict[str, float], gpus: float, way: str) -> Layout:
    """One pool. Where tensor and attention ranks name the same accelerators, the tensor degree gives way; where `dp`
    says that sequences are not spread (1) or over how many ranks, attention is tensor parallel over the others, even
    if the tensor degree of a mixture of experts is written as 1."""
    pp, dp = _at_least_one(v["pp"]), _at_least_one(v["attn_dp"] if v["attn_dp"] > 0 else v["dp"])
    ep = _at_least_one(v["moe_ep"] if v["moe_ep"] > 0 else v["ep"])
    tp, fault = v["tp"], ""
    if np.isnan(gpus):
        gpus = _at_least_one(tp) * pp * dp
    if way:
        stated = [float(n) for n in re.findall(r"\((\d+)\)|= (\d+)", way) for n in n if n]
        pipeline = "pipeline" in way or re.search(r"\bpp\b", way)
        tensor = "tensor" in way or re.search(r"\btp\b", way)
        pp = (stated[-1] if stated and tensor else gpus) if pipeline else pp
        ep = gpus if re.search(r"\bep\b", way) else ep
    if max(tp, 1.0) * pp > gpus and dp == 1:
        fault = f"tp x pp = {max(tp, 1.0) * pp:g} is more than the {gpus:g} accelerators"
    if np.isnan(tp) or tp * pp * dp > gpus or v["dp"] > 0:
        tp = gpus / (pp * dp)
    elif tp * pp * dp < gpus and tp > 0:
        dp = gpus / (tp * pp)  # the rest of the accelerators hold other sequences
    degrees = (tp, pp, dp, min(ep, tp * dp))
    return Layout(degrees, degrees, 1.0, 1.0, gpus, "loop", fault=fault)


def _split(v: dict[str, float], gpus: float) -> Layout:
    """Separate pools; where worker counts are blank (exports lose them), one prefill worker and the usual decode
    workers."""
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
    workers = _at_least_one(decode_workers)
    return Layout(pools["decode"], pools["prefill"], workers, prefill_workers, gpus, "split", workers_known)
