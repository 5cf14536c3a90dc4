"""Answers of aiconfigurator (0.12), which looks latencies up in tables of kernels measured on the vendor's hardware.

    python ask_aiconfigurator.py ROWS.json

ROWS holds serving points in the columns of the benchmark; answers go to standard output, one for each row or null.
"""

import contextlib
import io
import json
import sys
import time
from pathlib import Path

from aiconfigurator.cli.api import cli_estimate

NAMES = {"meta-llama/Llama-3.1-70B": "meta-llama/Meta-Llama-3.1-70B"}
NAMES["meta-llama/Llama-3.1-8B-Instruct"] = "meta-llama/Meta-Llama-3.1-8B"


def answer(row):
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


answers = []
for row in json.loads(Path(sys.argv[1]).read_text()):
    started = time.process_time()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            answers.append({**answer(row), "seconds": time.process_time() - started})
    except BaseException as error:  # also SystemExit: it is a command-line tool at heart
        answers.append(None)
        print(type(error).__name__, str(error)[:200], file=sys.stderr)
print(json.dumps(answers))
