"""Answers of llm-analysis (0.2.2), closed forms of FLOPs and bytes with one efficiency each.

    python ask_llm_analysis.py ROWS.json

ROWS holds whole batches in the columns of the benchmark, each with the `shape` of its model; answers go to standard
output, one for each row or null. Its efficiencies have no defaults that fit: 0.7 of FLOPs and 0.8 of bandwidth are
ours.
"""

import logging

from asking import Row, answer_rows
from llm_analysis.analysis import LLMAnalysis
from llm_analysis.config import ModelConfig, ParallelismConfig, get_dtype_config_by_name, get_gpu_config_by_name

logging.disable(logging.CRITICAL)
SYSTEMS = {"Nvidia A100 GPU": "a100-sxm-40gb", "Nvidia H100 GPU": "h100-sxm-80gb"}


def answer(row: Row) -> dict[str, float]:
    shape = row["shape"]
    model = ModelConfig(
        name=row["model"],
        num_layers=int(shape["layers"]),
        n_head=int(shape["heads"]),
        hidden_dim=int(shape["hidden"]),
        vocab_size=int(shape["vocab"]),
        num_key_value_heads=int(shape["kv_heads"]),
        ffn_embed_dim=int(shape["intermediate"]),
        expansion_ratio=int(shape["intermediate"]) / int(shape["hidden"]),
        model_type="llama",
    )
    analysis = LLMAnalysis(
        model,
        get_gpu_config_by_name(SYSTEMS[row["hardware"]]),
        get_dtype_config_by_name("w16a16e16"),
        ParallelismConfig(tp_size=int(row["n_devices"])),
        flops_efficiency=0.7,
        hbm_memory_efficiency=0.8,
    )
    found = analysis.inference(
        batch_size_per_gpu=int(row["batch_size"]),
        seq_len=int(row["input_len"]),
        num_tokens_to_generate=int(row["output_len"]),
    )
    return {"batch_seconds": float(found["total_latency"])}


answer_rows(answer)
