"""Interconnects by name or alias: what accelerators talk over, inside a scale-up domain and between domains.

Speeds are nominal and one-way, of one accelerator. Scale-up links (switch, mesh, torus, pcie) name the accelerators of
the catalogue that they link; fabrics carry what leaves a domain. What a collective gets out of them is the business of
`links.py`. Sources, dates and doubts stand in each row of `interconnects.toml`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from planner.errors import UnknownName
from planner.hardware.tables import key, spellings, table

FABRIC = "fabric"
KINDS = ("switch", "mesh", "torus", "pcie", FABRIC)


@dataclass(frozen=True)
class Interconnect:
    """One row of the table.

    kind: one of `KINDS`; bytes_per_second: one way, of one accelerator; latency_seconds: the shortest measured
    all-reduce of two accelerators, None where nobody measured it; accelerators: those whose domain it links.
    """

    name: str
    kind: str
    bytes_per_second: float
    latency_seconds: float | None = None
    accelerators: tuple[str, ...] = ()
    vendor: str = ""
    source: str = ""
    date: str = ""
    doubt: str = ""


@cache
def _catalogue() -> dict[str, Interconnect]:
    return {
        row["name"]: Interconnect(
            name=row["name"],
            kind=row["kind"],
            bytes_per_second=row["bytes_per_second"],
            latency_seconds=row.get("latency_seconds"),
            accelerators=tuple(row.get("accelerators", ())),
            vendor=row["vendor"],
            source=row["source"],
            date=str(row["date"]),
            doubt=row.get("doubt", ""),
        )
        for row in table("interconnects")["interconnect"]
    }


@cache
def interconnect(name: str) -> Interconnect:
    """The interconnect of that name or alias, without regard to case and punctuation.

    Raises:
        UnknownName: no interconnect is called so; the nearest names are in the message.
    """
    found = spellings("interconnects", "interconnect").get(key(name))
    if found is None:
        raise UnknownName("interconnect", name, _catalogue())
    return _catalogue()[found]


def interconnect_names() -> tuple[str, ...]:
    """All names, in the order of the table."""
    return tuple(_catalogue())
