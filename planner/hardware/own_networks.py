"""Interconnects and clusters that the catalogue does not have, from specifications as mappings.

The keys are those of `interconnects.toml` and `clusters.toml`; all that is wrong is gathered before they are refused.
That the names in a cluster mean something is for the catalogue to say that holds it (`catalogue.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.errors import Range, Violation, require
from planner.hardware.clusters import Cluster
from planner.hardware.interconnects import KINDS, Interconnect

_SPEED = Range(1e6, 1e15, "bytes per second")
_LATENCY = Range(1e-9, 1.0, "seconds")
_PER_NODE = Range(1, 1e6, "accelerators")
_NODES = Range(1, 1e7, "nodes")
_ORIGIN = ("source", "date", "doubt")
_CALLER = "given by the caller"


def interconnect_from_spec(spec: Mapping[str, Any]) -> Interconnect:
    """An interconnect from its specification.

    Args:
        spec: `name`, `kind` (switch, mesh, torus, pcie, or fabric for scale-out), `bytes_per_second` (one way, of one
            accelerator); optionally `latency_seconds`, `vendor`, `source`, `date`, `doubt`.

    Raises:
        InvalidInput: what is needed is absent, out of range, or not a key of a specification; all at once.
    """
    ranges = {"bytes_per_second": _SPEED, "latency_seconds": _LATENCY}
    wrong = _wrong(spec, ("name", "kind", "bytes_per_second"), ranges, ("name", "kind", "vendor", *_ORIGIN))
    if "kind" in spec and spec["kind"] not in KINDS:
        wrong.append(Violation("kind", f"{spec['kind']}"[:80], f"one of {', '.join(KINDS)}"))
    require(*wrong)
    return Interconnect(
        name=str(spec["name"]),
        kind=str(spec["kind"]),
        bytes_per_second=float(spec["bytes_per_second"]),
        latency_seconds=float(spec["latency_seconds"]) if "latency_seconds" in spec else None,
        vendor=str(spec.get("vendor", "")),
        source=str(spec.get("source", _CALLER)),
        date=str(spec.get("date", "")),
        doubt=str(spec.get("doubt", "")),
    )


def cluster_from_spec(spec: Mapping[str, Any]) -> Cluster:
    """A cluster from its specification.

    Args:
        spec: `name`, `accelerator`, `accelerators_per_node`, `scaleout_bytes_per_second` (one way, of one accelerator);
            optionally `nodes`, `scaleup_interconnect`, `scaleout_interconnect`, `provider`, `source`, `date`, `doubt`.

    Raises:
        InvalidInput: what is needed is absent, out of range, or not a key of a specification; all at once.
    """
    ranges = {"accelerators_per_node": _PER_NODE, "nodes": _NODES, "scaleout_bytes_per_second": _SPEED}
    named = ("name", "accelerator", "scaleup_interconnect", "scaleout_interconnect", "provider")
    needed = ("name", "accelerator", "accelerators_per_node", "scaleout_bytes_per_second")
    wrong = _wrong(spec, needed, ranges, (*named, *_ORIGIN))
    wrong += [
        Violation(n, f"{spec[n]}", "a whole number")
        for n in ("accelerators_per_node", "nodes")
        if _number(spec.get(n)) % 1 > 0
    ]
    require(*wrong)
    return Cluster(
        name=str(spec["name"]),
        accelerator=str(spec["accelerator"]),
        accelerators_per_node=int(spec["accelerators_per_node"]),
        scaleout_bytes_per_second=float(spec["scaleout_bytes_per_second"]),
        nodes=int(spec["nodes"]) if "nodes" in spec else None,
        scaleup_interconnect=str(spec.get("scaleup_interconnect", "")),
        scaleout_interconnect=str(spec.get("scaleout_interconnect", "")),
        provider=str(spec.get("provider", "")),
        source=str(spec.get("source", _CALLER)),
        date=str(spec.get("date", "")),
        doubt=str(spec.get("doubt", "")),
    )


def _wrong(
    spec: Mapping[str, Any], needed: tuple[str, ...], ranges: Mapping[str, Range], texts: tuple[str, ...]
) -> list[Violation]:
    found = [Violation(n, "absent", "given") for n in needed if spec.get(n) in (None, "")]
    for name in sorted(set(spec) & set(ranges)):
        outside = ranges[name].check(name, _number(spec[name]))
        found += [Violation(name, f"{spec[name]}"[:80], v.allowed) for v in outside if name not in _names(found)]
    allowed = ", ".join(sorted({*ranges, *texts}))
    unknown = sorted(set(spec) - set(ranges) - set(texts))
    return found + [Violation(n, f"{spec[n]}"[:80], f"one of {allowed}") for n in unknown]


def _names(found: list[Violation]) -> set[str]:
    return {violation.field for violation in found}


def _number(value: Any) -> float:
    """NaN for what is no number; whole numbers beyond a float are merely too large."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return float("nan")
    return float(min(value, 1e30))
