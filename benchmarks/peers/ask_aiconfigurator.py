"""Answers of aiconfigurator (0.12), which looks latencies up in tables of kernels measured on the vendor's hardware.

    python ask_aiconfigurator.py ROWS.json

ROWS holds serving points in the columns of the benchmark; answers go to standard output, one for each row or null.
"""

from aiconfigurator.cli.api import cli_estimate
from asking import Row, answer_rows

NAMES = {"meta-llama/Llama-3.1-70B": "meta-llama/Meta-Llama-3.1-70B"}
NAMES["meta-llama/Llama-3.1-8B-Instruct"] = "meta-llama/Meta-Llama-3.1-8B"


def answer(row: Row) -> dict[str, float]:
    formats = {"gemm_quant_mode": row["gemm_quant"], "moe_quant_mode": row["moe_quant"]}
    layout = {"tp_size": row["tp"], "pp_size": row["pp"], "attention_dp_size": row["attn_dp"]}
    experts = {"moe_tp_size": row["moe_tp"], "moe_ep_size": row["moe_ep"]}
    found = cli_estimate(
        NAMES.get(row["model"], row["model"]),
        row["system"],
        backend_name=row["framework"],
        isl=int(row["isl"]),
        osl=int(row["osl"]),
        batch_size=int(row["batch_size"]),
        **{name: value for name, value in formats.items() if value},
        **{name: int(value) for name, value in {**layout, **experts}.items() if value},
    )
    return {"tpot_seconds": float(found.tpot) / 1e3, "ttft_seconds": float(found.ttft) / 1e3}


answer_rows(answer)
