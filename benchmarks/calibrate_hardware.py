"""Fit the constants of planner/hardware on published measurements and write
planner/hardware/calibration.toml.

    python benchmarks/calibrate_hardware.py --data ../shared/data/hardware

Robust least squares (soft-L1) on log residuals with weak physical priors and bounds; no constant belongs to
one accelerator or model, only engines and benchmark procedures have factors. Errors are reported in sample,
leaving out one accelerator at a time and one model at a time; the 80 % intervals are quantiles of the
left-out residuals.
"""

from __future__ import annotations

import argparse
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from hardware_cost_fit import training_fit
from hardware_percentile_fit import percentile_fit
from hardware_power_fit import power_fit
from hardware_residuals import REPORT, read
from hardware_serving_fit import batch_fit, serving_fit, split_fit
from hardware_task_fit import host_times

from planner.hardware import energy, frameworks, serving, tables, training, training_layouts
from planner.hardware.accelerators import accelerator
from planner.hardware.columns import numbers
from planner.hardware.shapes import model_shape, model_shape_names

OUTPUT = Path(__file__).resolve().parents[1] / "planner" / "hardware" / "calibration.toml"


def links(data: Path) -> dict[str, float]:
    """Shares of the nominal link speed and fixed times of measured all-reduces, one vote per system and count.

    Switched fabrics: median share at the largest message. Host bus: power law of the rank count, on two and more
    ranks; fixed time per rank: smallest messages.
    """
    table = read(data / "micro_collectives.csv")
    names = {"a100_sxm": "A100", "h100_sxm": "H100", "b200_sxm": "B200", "gb200": "GB200", "gb300": "GB300"}
    names |= {"l40s": "L40S", "rtx_pro_6000_server": "RTX-PRO-6000"}
    ranks, size, micros = (numbers(table, n) for n in ("n_gpus", "message_bytes", "latency_us"))
    shares: dict[str, list[float]] = {"switch": []}
    bus: list[tuple[float, float]] = []
    fixed: list[float] = []
    for group in sorted(set(zip(table["system"], table["n_gpus"]))):
        if group[0] not in names:
            continue
        chip = accelerator(names[group[0]])
        mine = np.array([key == group for key in zip(table["system"], table["n_gpus"])])
        mine &= np.array(
            [op == "all_reduce" and library == "nccl" for op, library in zip(table["op"], table["library"])]
        )
        if not mine.any() or ranks[mine][0] > chip.scaleup_domain:
            continue
        n, largest = ranks[mine][0], np.flatnonzero(mine)[np.argmax(size[mine])]
        share = 2 * (n - 1) / n * size[largest] / (micros[largest] * 1e-6) / chip.scaleup_bytes_per_second
        if chip.scaleup_link == "switch":
            shares["switch"].append(float(share))
        else:
            bus.append((float(np.log(2.0 / n)), float(np.log(share))))
            fixed.append(float(micros[mine].min() * 1e-6 / n))
    slope, level = np.polyfit(*np.array(bus).T, 1)
    return {
        "switch_efficiency": float(np.median(shares["switch"])),
        "pcie_efficiency": float(np.exp(level)),
        "pcie_crowding_exponent": float(slope),
        "pcie_seconds_per_rank": float(np.median(fixed)),
    }


def family() -> dict[str, Any]:
    """Power laws of the parameter count over the dense grouped-query models of the catalogue, one vote per
    shape."""
    shapes = {}
    for name in model_shape_names():
        s = model_shape(name)
        if s.attention_kind == "GQA" and not s.is_moe and not s.doubt and s.kv_window_bytes_16bit == 0:
            shapes[(s.layers, s.hidden, s.total_parameters)] = s
    chosen = list(shapes.values())
    size = np.log([s.total_parameters for s in chosen])
    result: dict[str, Any] = {}
    for quantity in ("layers", "hidden", "kv_bytes_per_token_16bit", "attention_flops_per_pair"):
        slope, level = np.polyfit(size, np.log([getattr(s, quantity) for s in chosen]), 1)
        result[quantity] = {"coefficient": float(np.exp(level)), "exponent": float(slope)}
    rows = {r["name"]: r for r in tables.table("models")["model"]}
    shares = [3 * s.layers * s.hidden * rows[s.name]["intermediate"] / s.total_parameters for s in chosen]
    return {"feed_forward_share": float(np.median(shares)), "kv_shards_max": 8.0, **result}


def literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(literal(v) for v in value)}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f'"{k}" = {literal(v)}' for k, v in value.items()) + " }"
    text_form = f"{value:.5g}".replace("e+", "e")
    return text_form if re.search(r"[.e]", text_form) else f"{text_form}.0"


def publish(state: dict[str, Any]) -> None:
    """Write the file and let the planner read it anew."""
    head = [
        "# Constants fitted on published measurements by benchmarks/calibrate_hardware.py; do not edit by hand.",
        "# Seconds, bytes and watts; shares and factors without unit. Read 2026-11-22.",
        "# Data: InferenceX (Apache-2.0), ML.ENERGY (Chung et al. 2025, 2505.06371), LLM-Inference-Bench (BSD-3),",
        "# llm-foundry, Megatron-Bridge, MaxText and torchtitan tables, MLPerf logs.",
        "# By hand: training share of TDP and node overhead (MLPerf training v4.1, v5.0: 6.3 kW per 8 x 700 W), PUE,",
        "# utilisations, headroom.",
        "# Errors (predicted over measured):",
        *(f"#   {line}" for line in REPORT),
    ]
    body = []
    for section, values in state.items():
        body += ["", f"[{section}]", *(f'"{k}" = {literal(v)}' for k, v in values.items())]
    OUTPUT.write_text("\n".join([*head, *body, ""]), encoding="utf-8")
    tomllib.loads(OUTPUT.read_text(encoding="utf-8"))
    frameworks.framework.cache_clear()
    tables.table.cache_clear()
    serving.serving_constants.cache_clear()
    training.training_constants.cache_clear()
    energy.energy_constants.cache_clear()
    training_layouts.usual_layout.cache_clear()


def merge(state: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    return state | {k: {**state.get(k, {}), **v} for k, v in part.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/hardware"))
    data = parser.parse_args().data
    if not data.is_dir():
        print(f"skipped: no measurements in {data}")
        return
    state: dict[str, Any] = {k: dict(v) for k, v in tables.table("calibration").items()}
    state["family"] = family()
    state["links"] = links(data)
    neutral = {"time_factor": 1.0, "first_token_factor": 1.0}
    state["frameworks"] = {}
    state["batch_frameworks"] = {"llama.cpp": {**neutral, "layer_split": True}}
    state["split_pools"] = {
        "usual_decode_workers": 3.0,
        "time_factor": 1.0,
        "time_factor_unknown": 1.0,
        "first_token_seconds": 1.0,
        "prefill_exponent": 0.5,
        "users_exponent": 0.5,
    }
    publish(state)
    state = merge(state, serving_fit(data))
    publish(state)
    state = merge(merge(merge(state, split_fit(data)), batch_fit(data)), percentile_fit(data))
    publish(state)
    state = merge(state, power_fit(data))
    state["task_host_seconds"] = host_times(read(data / "energy_mlenergy.csv"), state["task_prompt_tokens"])
    state = merge(state, training_fit(data))
    publish(state)


if __name__ == "__main__":
    main()
