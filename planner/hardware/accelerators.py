"""Accelerator specification sheets by name or alias.

Peaks are dense (no structured sparsity) and link speeds one-way. Names are matched without regard to case,
spaces, punctuation and vendor words, so that `h100_sxm`, `H100` and `NVIDIA H100-SXM5-80GB` are one
accelerator; an unknown name raises `UnknownName` with the nearest ones. Sources and dates stand in each row
of `accelerators.toml`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any

from planner.errors import UnknownName
from planner.hardware.tables import key, table

_VENDOR_WORDS = re.compile(
    r"\b(nvidia|amd|intel|habana|google|aws|amazon|apple|instinct|tesla|geforce|blackwell|tensor|core|gpu|accelerator)\b"
)
FORMATS = ("fp32", "tf32", "bf16", "fp16", "fp8", "fp4")


@dataclass(frozen=True)
class Accelerator:
    """One row of the table.

    `flops_per_second` maps a number format (`bf16`, `fp8`, ... and `int8` in operations) to its dense peak;
    a format that the chip lacks is absent. `bf16_flops_per_second` is the 16-bit peak (fp16 where there is
    no bf16, fp32 where there is neither). `scaleup_domain` is how many accelerators share the fast links,
    `scaleup_link` what these are (switch, mesh, torus, pcie or none); `dies`: devices that software sees in
    one package, whose speeds only tensor parallelism adds up; `tdp_watts` is NaN if unknown.
    """

    name: str
    vendor: str
    bf16_flops_per_second: float
    flops_per_second: Mapping[str, float] = field(hash=False)
    memory_bytes: float
    memory_bytes_per_second: float
    scaleup_bytes_per_second: float
    scaleup_domain: int
    scaleout_bytes_per_second: float
    tdp_watts: float
    release: str
    source: str
    date: str
    doubt: str = ""
    scaleup_link: str = "switch"
    dies: float = 1.0

    def __getstate__(self) -> dict[str, Any]:  # a mapping proxy does not pickle
        return {**vars(self), "flops_per_second": dict(self.flops_per_second)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, flops_per_second=MappingProxyType(state["flops_per_second"]))


@cache
def _catalogue() -> dict[str, Accelerator]:
    entries = {}
    for row in table("accelerators")["accelerator"]:
        peaks = {f: row[f"{f}_flops_per_second"] for f in FORMATS if f"{f}_flops_per_second" in row}
        if "int8_ops_per_second" in row:
            peaks["int8"] = row["int8_ops_per_second"]
        entries[row["name"]] = Accelerator(
            name=row["name"],
            vendor=row["vendor"],
            bf16_flops_per_second=next(peaks[f] for f in ("bf16", "fp16", "fp32") if f in peaks),
            flops_per_second=MappingProxyType(peaks),
            memory_bytes=row["memory_bytes"],
            memory_bytes_per_second=row["memory_bytes_per_second"],
            scaleup_bytes_per_second=row.get("scaleup_bytes_per_second", row.get("scaleout_bytes_per_second", 1e9)),
            scaleup_domain=row["scaleup_domain"],
            scaleout_bytes_per_second=row.get("scaleout_bytes_per_second", 1e9),
            tdp_watts=row.get("tdp_watts", float("nan")),
            release=str(row["release"]),
            source=row["source"],
            date=str(row["date"]),
            doubt=row.get("doubt", ""),
            scaleup_link=row["scaleup_link"],
            dies=float(row.get("dies", 1)),
        )
    return entries


def _bare(name: str) -> str:
    return key(_VENDOR_WORDS.sub(" ", re.sub(r"[\s_()\[\]]+", " ", name.lower())))


@cache
def _aliases() -> dict[str, str]:
    found: dict[str, str] = {}
    for row in table("accelerators")["accelerator"]:
        for alias in (row["name"], *row["aliases"]):
            for spelling in (key(alias), _bare(alias)):
                found.setdefault(spelling, row["name"])
    return found


@cache
def accelerator(name: str) -> Accelerator:
    """The accelerator of that name or alias.

    Raises:
        UnknownName: no accelerator is called so; the nearest names are in the message.
    """
    aliases = _aliases()
    for spelling in (key(name), _bare(name)):
        if spelling in aliases:
            return _catalogue()[aliases[spelling]]
    raise UnknownName("accelerator", name, _catalogue())


def accelerator_names() -> tuple[str, ...]:
    """All names, in the order of the table."""
    return tuple(_catalogue())
