"""Answers of EcoLogits (0.11): joules of a token by its regression on active parameters and batch size.

    python ask_ecologits.py ROWS.json

ROWS holds serving points in the columns of the benchmark; answers go to standard output, one for each row or null.
Boards alone are counted, as they were measured, on as many as were used; its own count of boards and the rest of the
server are left out.
"""

from asking import Row, answer_rows
from ecologits.impacts import llm

JOULES = 3.6e6  # per kWh


def answer(row: Row) -> dict[str, float]:
    board = llm.gpu_energy.__wrapped__ if hasattr(llm.gpu_energy, "__wrapped__") else llm.gpu_energy
    energy = board(
        model_active_parameter_count=float(row["active_params_b"]),
        output_token_count=1.0,
        batch_size=float(row["avg_batch_size"]),
        gpu_energy_alpha=llm.GPU_ENERGY_ALPHA,
        gpu_energy_beta=llm.GPU_ENERGY_BETA,
        gpu_energy_gamma=llm.GPU_ENERGY_GAMMA,
    )
    energy = getattr(energy, "mean", energy)
    return {"joules_per_token": float(energy) * float(row["num_gpus"]) * JOULES}


answer_rows(answer)
