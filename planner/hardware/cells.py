"""A serving cell: one combination of the discrete choices, as the constants that formulas need.

Every number may be a float or an array over cells, so that one evaluation of a formula prices thousands of
combinations. `serving_cell` looks the constants up; a search builds one `ServingCell` with arrays itself
(`stack`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar, cast

import numpy as np

from planner.errors import UnsupportedCombination, Violation, require
from planner.hardware.accelerators import Accelerator, accelerator
from planner.hardware.frameworks import Framework, framework
from planner.hardware.links import link
from planner.hardware.precisions import precision

T = TypeVar("T")


@dataclass(frozen=True)
class ServingCell:
    """Constants of one replica: `tensor_parallel` x `pipeline_parallel` x `attention_data_parallel`
    accelerators.

    Under attention data parallelism the ranks hold different sequences and share the experts.
    `expert_parallel` > 1 means that whole experts are spread over the ranks. `framework_factor` multiplies
    step times, `first_token_factor` the time to first token, `stall_factor` what prompts take from decoding (1 is the
    mean engine). `expanded_weights` is 1 where weights are expanded before products. `link_bytes_per_second` is what
    the kind of link gives these ranks (`links.py`), `collective_extra_seconds` its fixed time over a switch's.
    """

    accelerator: Any
    precision: Any
    peak_flops_per_second: Any
    bf16_flops_per_second: Any
    memory_bytes: Any
    memory_bytes_per_second: Any
    link_bytes_per_second: Any
    tdp_watts: Any
    weight_bytes_per_parameter: Any
    compute_bytes: Any
    kv_bytes_per_element: Any
    tensor_parallel: Any = 1.0
    pipeline_parallel: Any = 1.0
    expert_parallel: Any = 1.0
    attention_data_parallel: Any = 1.0
    framework_factor: Any = 1.0
    first_token_factor: Any = 1.0
    stall_factor: Any = 1.0
    expanded_weights: Any = 0.0
    collective_extra_seconds: Any = 0.0

    @property
    def accelerators(self) -> Any:
        """Accelerators of one replica."""
        return self.tensor_parallel * self.pipeline_parallel * self.attention_data_parallel

    @property
    def ranks(self) -> Any:
        """Accelerators over which one layer is spread."""
        return self.tensor_parallel * self.attention_data_parallel


def serving_cell(
    accelerator_name: str | Accelerator,
    precision_name: str = "bf16",
    *,
    tensor_parallel: int = 1,
    pipeline_parallel: int = 1,
    expert_parallel: int = 1,
    attention_data_parallel: int = 1,
    kv_bytes_per_element: float | None = None,
    engine: Framework | str = "",
) -> ServingCell:
    """The constants of one cell, on an accelerator of the catalogue (by name) or on one of the caller's own.

    Raises:
        UnknownName: no such accelerator or precision.
        InvalidInput: a parallel degree below one, or experts spread over more ranks than there are.
        UnsupportedCombination: the accelerator lacks the precision.
    """
    chip = accelerator(accelerator_name) if isinstance(accelerator_name, str) else accelerator_name
    numbers = precision(precision_name)
    engine = framework(engine) if isinstance(engine, str) else engine
    degrees = {
        "tensor_parallel": tensor_parallel,
        "pipeline_parallel": pipeline_parallel,
        "expert_parallel": expert_parallel,
        "attention_data_parallel": attention_data_parallel,
    }
    require(*(Violation(n, f"{d}", "a whole number of at least 1") for n, d in degrees.items() if d < 1 or d % 1))
    ranks = tensor_parallel * attention_data_parallel
    if expert_parallel > ranks:
        raise UnsupportedCombination(
            Violation("expert_parallel", f"{expert_parallel}", f"at most the {ranks} ranks of a layer")
        )
    # Engines keep an 8-bit cache beside 8- or 4-bit weights where attention kernels take it: chips that
    # multiply in fp4.
    narrow = numbers.weight_bytes <= 1.0 and (engine.narrow_cache or "fp4" in chip.flops_per_second)
    cache_bytes = 1.0 if narrow else numbers.kv_bytes
    wire = link(chip, ranks)
    at_once = 1.0 / chip.dies if ranks == 1 else 1.0  # without tensor parallelism one die works at a time
    return ServingCell(
        accelerator=chip.name,
        precision=numbers.name,
        peak_flops_per_second=numbers.peak_flops_per_second(chip) * at_once,
        bf16_flops_per_second=chip.bf16_flops_per_second * at_once,
        memory_bytes=chip.memory_bytes,
        memory_bytes_per_second=chip.memory_bytes_per_second * at_once,
        link_bytes_per_second=wire.bytes_per_second,
        tdp_watts=chip.tdp_watts,
        weight_bytes_per_parameter=numbers.weight_bytes,
        compute_bytes=chip_compute_bytes(numbers.compute, chip.flops_per_second),
        kv_bytes_per_element=cache_bytes if kv_bytes_per_element is None else kv_bytes_per_element,
        tensor_parallel=float(tensor_parallel),
        pipeline_parallel=float(pipeline_parallel),
        expert_parallel=float(expert_parallel),
        attention_data_parallel=float(attention_data_parallel),
        framework_factor=engine.time_factor,
        first_token_factor=engine.first_token_factor,
        stall_factor=engine.stall_factor,
        expanded_weights=float(numbers.expanded),
        collective_extra_seconds=wire.extra_seconds,
    )


def chip_compute_bytes(compute: str, peaks: Any) -> float:
    """Bytes of one operand of the products (a format the chip lacks is computed in 16 bits)."""
    width = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "fp4": 0.5}
    return width[compute] if compute in peaks else 2.0


def stack(kind: type[T], items: Sequence[T]) -> T:
    """Many cells (or shapes) of one dataclass as one whose fields are arrays over them, for vectorised
    evaluation."""
    columns = {f.name: [getattr(item, f.name) for item in items] for f in fields(cast(Any, kind))}
    return kind(**{name: np.array(values, dtype=_kind_of(values)) for name, values in columns.items()})


def _kind_of(values: list[Any]) -> Any:
    """Names stay objects, since text of fixed width is slow to copy."""
    return (object if isinstance(values[0], str) else None) if values else float
