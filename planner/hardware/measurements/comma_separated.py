"""Tables in CSV: the columns that `estimate_serving` takes, with `tpot_ms` and `ttft_ms`.

The spellings of other tools' exports are understood too: latencies in seconds, means named as such, degrees in words.
"""

from __future__ import annotations

import csv
import io

from planner.errors import InvalidInput, Violation
from planner.hardware.measurements.cells import Row
from planner.hardware.serving_columns import ACCELERATOR

_NAMES = {
    "mean_tpot_ms": "tpot_ms",
    "inter_token_latency_ms": "tpot_ms",
    "mean_ttft_ms": "ttft_ms",
    "time_to_first_token_ms": "ttft_ms",
    "tensor_parallel": "tp",
    "tensor_parallel_size": "tp",
    "pipeline_parallel": "pp",
    "pipeline_parallel_size": "pp",
    "expert_parallel": "ep",
    "accelerator_count": "n_gpus",
    "engine": "framework",
    "input_tokens": "isl",
    "max_concurrency": "concurrency",
    "output_tokens_per_second": "output_tok_s",
    "output_throughput": "output_tok_s",
}
_SECONDS = {"tpot_seconds": "tpot_ms", "ttft_seconds": "ttft_ms", "mean_tpot": "tpot_ms", "mean_ttft": "ttft_ms"}


def rows(text: str, origin: str) -> list[Row]:
    """The rows of a table. Raises InvalidInput if it is none."""
    lines = [cells for cells in csv.reader(io.StringIO(text)) if any(cell.strip() for cell in cells)]
    if len(lines) < 2:
        raise InvalidInput(Violation("measurements", origin, "JSON of a benchmark, or CSV with a header and rows"))
    header = [name.strip() for name in lines[0]]
    ragged = next((i for i, cells in enumerate(lines) if len(cells) != len(header)), None)
    if ragged is not None or len(set(header)) < len(header):
        fault = "a name twice in the header" if ragged is None else f"{len(lines[ragged])} cells in line {ragged + 1}"
        raise InvalidInput(Violation("measurements", f"{origin}: {fault}", f"CSV with {len(header)} named columns"))
    return [_row(dict(zip(header, map(str.strip, cells)))) for cells in lines[1:]]


def _row(cells: dict[str, str]) -> Row:
    found: Row = {"system": next((cells[n] for n in ACCELERATOR if cells.get(n)), "")}
    for name, cell in cells.items():
        if name in ACCELERATOR:
            continue
        if name in _SECONDS:
            try:
                found.setdefault(_SECONDS[name], 1e3 * float(cell))
            except ValueError:
                found.setdefault(_SECONDS[name], None)
        else:
            found[_NAMES.get(name, name)] = cell
    return found
