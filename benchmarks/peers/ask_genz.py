"""Answers of GenZ (genz-llm 0.0.16), an analytical model of operators on a roofline.

    python ask_genz.py ROWS.json

ROWS holds serving points in the columns of the benchmark; answers go to standard output, one for each row or null.
Efficiencies and number format (16 bit) are its defaults; narrower formats move it further from what was measured. It is
asked for one step of the whole batch, half of the answer written, without the beams of its default.
"""

import warnings

from asking import Row, answer_rows
from GenZ import decode_moddeling, prefill_moddeling

warnings.simplefilter("ignore")
SYSTEMS = {"h100_sxm": "H100_GPU", "b200_sxm": "GB200", "gb200": "GB200"}
MODELS = {"meta-llama/Llama-3.1-70B": "llama2_70b", "meta-llama/Llama-3.1-8B-Instruct": "llama3_8b"}


def answer(row: Row) -> dict[str, float]:
    common = {
        "model": MODELS[row["model"]],
        "system_name": SYSTEMS[row["system"]],
        "tensor_parallel": int(row["tp"] or 1),
        "pipeline_parallel": int(row["pp"] or 1),
    }
    batch, prompt, written = int(row["batch_size"]), int(row["isl"]), int(row["osl"])
    step = decode_moddeling(batch_size=batch, input_tokens=prompt, output_tokens=written // 2, Bb=1, **common)
    first = prefill_moddeling(batch_size=1, input_tokens=prompt, **common)
    return {"tpot_seconds": step["Latency"] / 1e3, "ttft_seconds": first["Latency"] / 1e3}


answer_rows(answer)
