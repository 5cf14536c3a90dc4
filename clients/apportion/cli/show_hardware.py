"""Accelerators, models and calibrations drawn for people. Nothing is computed here."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import RenderableType
from rich.markup import escape

from apportion import answers
from apportion.cli.show import facts_of, grid_of, stacked
from apportion.quantities import shown

_MOST_REFUSED = 10


def accelerators(found: Iterable[answers.Accelerator]) -> RenderableType:
    grid = grid_of(
        "accelerator", "16-bit", "8-bit", "memory", "bandwidth", "TDP", "from USD/h", "source", numeric=False
    )
    for chip in found:
        peaks = chip.peak_flops_per_second
        cheapest = min((offer.price_usd_per_hour for offer in chip.offers), default=None)
        grid.add_row(
            chip.name.removeprefix("accelerators/"),
            _rate(peaks.get("bf16", peaks.get("fp16")), "FLOP/s"),
            _rate(peaks.get("fp8", peaks.get("int8")), "FLOP/s"),
            shown("memory_bytes", chip.memory_bytes),
            _rate(chip.memory_bytes_per_second, "B/s"),
            shown("tdp_watts", chip.tdp_watts),
            "–" if cheapest is None else f"{cheapest:.2f}",
            escape(chip.source),
        )
    return grid


def accelerator(found: answers.Accelerator) -> RenderableType:
    facts = facts_of()
    facts.add_row("accelerator", found.name.removeprefix("accelerators/"))
    for precision, peak in found.peak_flops_per_second.items():
        facts.add_row(f"{precision} peak", _rate(peak, "FLOP/s"))
    facts.add_row(
        "memory", f"{shown('memory_bytes', found.memory_bytes)} at {_rate(found.memory_bytes_per_second, 'B/s')}"
    )
    facts.add_row("links", f"{found.scaleup_link or '–'}, {found.scaleup_domain_count} together")
    facts.add_row("TDP", shown("tdp_watts", found.tdp_watts))
    facts.add_row("source", escape(found.source))
    if found.doubt:
        facts.add_row("doubt", escape(found.doubt))
    if not found.offers:
        return facts
    return stacked(facts, offers(found.offers))


def offers(found: Iterable[answers.PriceOffer]) -> RenderableType:
    grid = grid_of("accelerator", "offer", "term", "region", "USD/h", "source", "read", numeric=False)
    for offer in found:
        what = (escape(offer.accelerator), escape(offer.offer), offer.term, offer.region)
        grid.add_row(*what, f"{offer.price_usd_per_hour:.2f}", escape(offer.source), offer.read_date)
    return grid


def price_books(found: Iterable[answers.PriceBook]) -> RenderableType:
    grid = grid_of("price book", "offers", "those on record", "made", numeric=False)
    for book in found:
        made = f"{book.create_time:%Y-%m-%d %H:%M}" if book.create_time else "–"
        rest = "do not count" if book.exclusive else "underneath"
        grid.add_row(book.name.removeprefix("priceBooks/"), str(len(book.offers)), rest, made)
    return grid


def model_shapes(found: Iterable[answers.ModelShape]) -> RenderableType:
    grid = grid_of("model", "parameters", "active", "layers", "width", "experts", "cache a token", "attention")
    for shape in found:
        grid.add_row(
            shape.name.removeprefix("modelShapes/"),
            shown("parameter_count", shape.total_parameter_count),
            shown("parameter_count", shape.active_parameter_count),
            str(shape.layer_count),
            str(shape.hidden_size),
            f"{shape.expert_count} ({shape.experts_per_token_count})" if shape.expert_count > 1 else "–",
            shown("kv_bytes", shape.kv_bytes_per_token),
            shape.attention,
        )
    return grid


def calibrations(found: Iterable[answers.Calibration]) -> RenderableType:
    grid = grid_of("calibration", "rows", "TPOT error before", "after", "measured", "made", numeric=False)
    for item in found:
        before, after = (errors.get("tpot_seconds") for errors in (item.errors_before, item.errors_after))
        grid.add_row(
            item.name.removeprefix("calibrations/"),
            str(item.row_count),
            _percent(before),
            _percent(after),
            escape(", ".join(group.group for group in item.groups)),
            f"{item.create_time:%Y-%m-%d %H:%M}" if item.create_time else "–",
        )
    return grid


def calibration(found: answers.Calibration) -> RenderableType:
    facts = facts_of()
    facts.add_row("calibration", found.name.removeprefix("calibrations/"))
    facts.add_row("measured", escape(", ".join(group.group for group in found.groups)))
    facts.add_row("rows", f"{found.row_count} used, {len(found.refused)} refused")
    for quantity, name in (("tpot_seconds", "TPOT"), ("ttft_seconds", "TTFT")):
        if quantity in found.errors_after:
            change = f"{_percent(found.errors_before.get(quantity))} → {_percent(found.errors_after[quantity])}"
            facts.add_row(f"{name} error", f"{change} (median, rows left out of the fit)")
    facts.add_row("levels", f"TPOT × {found.tpot_level:.3f}, TTFT × {found.ttft_level:.3f}")
    for kind, levels in (("engine", found.engine_levels), ("group", {g.group: g.level for g in found.groups})):
        for name, level in levels.items():
            facts.add_row(kind, f"{escape(name)} × {level:.3f}")
    moved = sorted(found.constant_factors.items(), key=lambda pair: -abs(pair[1] - 1.0))[:5]
    facts.add_row("most moved", ", ".join(f"{name} × {factor:.2f}" for name, factor in moved))
    if not found.refused:
        return facts
    refused = grid_of("refused", "why", numeric=False)
    for item in found.refused[:_MOST_REFUSED]:
        refused.add_row(escape(item.origin), escape(item.reason))
    if len(found.refused) > _MOST_REFUSED:
        refused.add_row("…", f"{len(found.refused) - _MOST_REFUSED} more")
    return stacked(facts, refused)


def _percent(error: float | None) -> str:
    return "–" if error is None else f"{100.0 * error:.1f} %"


def _rate(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    scale, prefix = next(((s, p) for s, p in ((1e15, "P"), (1e12, "T"), (1e9, "G")) if value >= s), (1.0, ""))
    return f"{value / scale:.4g} {prefix}{unit}"
