"""The layout that a training run would take where a table does not say it: the fastest of the usual ones.

Tensor ways inside the scale-up domain (Shoeybi et al. 2019, 1909.08053) and pipeline stages between domains
(Narayanan et al. 2021, 2104.04473) cut what data-parallel ranks exchange, at the price of all-reduces and of a
bubble; teams that publish no layout are taken to have chosen well.
"""

from __future__ import annotations

from functools import cache
from itertools import product

from planner.hardware.accelerators import Accelerator
from planner.hardware.training import TrainingCell, communication_share, pipeline_bubble, step_share, training_cell

_TENSOR = (1, 2, 4, 8)
_PIPELINE = (1, 2, 4, 8, 16)
_INTERLEAVE = 8.0  # chunks per stage: 5 for 70B, 8 for 405B in the recipes of Megatron-Bridge


@cache
def usual_layout(
    chip: Accelerator,
    precision_name: str,
    active_parameters: float,
    accelerator_count: float,
    global_batch_tokens: float,
    sequence_tokens: float,
    is_moe: bool,
    exchanged_parameters: float | None = None,
) -> tuple[float, float, float]:
    """Tensor ways, pipeline stages and bubble share of the fastest usual layout that divides the accelerators, where
    data-parallel ranks exchange that many parameters (default: the active ones).

    Raises:
        UnknownName: no such precision.
        UnsupportedCombination: the accelerator lacks the precision.
    """
    sequences, domain = global_batch_tokens / sequence_tokens, chip.scaleup_domain
    exchanged = exchanged_parameters or active_parameters

    def cell(tensor: int, stages: int) -> tuple[float, TrainingCell]:
        micro_batches = max(sequences * tensor * stages / accelerator_count, 1.0)
        bubble = float(pipeline_bubble(stages, micro_batches, _INTERLEAVE)) if stages > 1 else 0.0
        made = training_cell(
            chip,
            precision_name,
            is_moe=is_moe,
            bubble_share=bubble,
            tensor_parallel=tensor,
            pipeline_parallel=stages,
            global_batch_tokens=global_batch_tokens,
            accelerator_count=accelerator_count,
        )
        return bubble, made

    best = (float("inf"), 1.0, 1.0, 0.0)
    for tensor, stages in product(_TENSOR, _PIPELINE):
        if accelerator_count % (tensor * stages) or (stages > 1 and accelerator_count <= domain):
            continue
        bubble, made = cell(tensor, stages)
        time = step_share(made, active_parameters, accelerator_count)
        time += communication_share(made, active_parameters, exchanged, accelerator_count)
        best = min(best, (float(time), float(tensor), float(stages), bubble))
    return best[1:]
