"""Interconnects and clusters drawn for people. Nothing is computed here."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import RenderableType
from rich.markup import escape

from apportion import answers
from apportion.cli.show import facts_of, grid_of


def interconnects(found: Iterable[answers.Interconnect]) -> RenderableType:
    grid = grid_of("interconnect", "kind", "one way", "latency", "links", "source", numeric=False)
    for item in found:
        grid.add_row(
            _bare(item.name),
            item.kind,
            _speed(item.bytes_per_second),
            _latency(item.latency_seconds),
            ", ".join(map(_bare, item.accelerators)) or "–",
            escape(item.source),
        )
    return grid


def interconnect(found: answers.Interconnect) -> RenderableType:
    facts = facts_of()
    facts.add_row("interconnect", _bare(found.name))
    facts.add_row("kind", f"{found.kind} ({escape(found.vendor)})")
    facts.add_row("speed", f"{_speed(found.bytes_per_second)} one way, of one accelerator")
    facts.add_row("latency", _latency(found.latency_seconds))
    facts.add_row("links", ", ".join(map(_bare, found.accelerators)) or "–")
    facts.add_row("source", escape(found.source))
    if found.doubt:
        facts.add_row("doubt", escape(found.doubt))
    return facts


def clusters(found: Iterable[answers.Cluster]) -> RenderableType:
    grid = grid_of("cluster", "accelerator", "size", "inside", "between", "one way", "source", numeric=False)
    for item in found:
        grid.add_row(
            _bare(item.name),
            _bare(item.accelerator),
            _size(item),
            _bare(item.scaleup_interconnect),
            _bare(item.scaleout_interconnect),
            _speed(item.scaleout_bytes_per_second),
            escape(item.source),
        )
    return grid


def cluster(found: answers.Cluster) -> RenderableType:
    facts = facts_of()
    facts.add_row("cluster", f"{_bare(found.name)} ({escape(found.provider)})")
    facts.add_row("accelerators", f"{_size(found)} {_bare(found.accelerator)}")
    facts.add_row("inside a domain", _bare(found.scaleup_interconnect))
    between = f"{_bare(found.scaleout_interconnect)}, {_speed(found.scaleout_bytes_per_second)} one way"
    facts.add_row("between nodes", f"{between}, of one accelerator")
    facts.add_row("source", escape(found.source))
    if found.doubt:
        facts.add_row("doubt", escape(found.doubt))
    return facts


def _bare(name: str) -> str:
    return escape(name.rsplit("/", 1)[-1])


def _speed(bytes_per_second: float) -> str:
    return f"{bytes_per_second * 1e-9:.4g} GB/s"


def _latency(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds * 1e6:.1f} µs"


def _size(item: answers.Cluster) -> str:
    nodes = "?" if item.node_count is None else f"{item.node_count:,}"
    return f"{nodes} × {item.accelerators_per_node_count}"
