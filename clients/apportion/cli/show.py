"""Answers drawn for people with rich: laws, plans, fronts, tables. Nothing is computed here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from apportion import answers
from apportion.quantities import shown
from apportion.tables import Cell, Table

_COLOURS = {"OPTIMAL": "bold green", "FEASIBLE": "bold yellow"}
_GRADES = {"A": "green", "B": "cyan", "C": "yellow", "UNVERIFIED": "red", "FITTED": "magenta"}
_MAX_ROWS, _MAX_COLUMNS = 40, 10
_REASON = "unsupported_reason"
_COUNTS = {"parameter_count": "N", "token_count": "D", "expert_count": "experts"}
_FRONT_DECISIONS = (
    "parameter_count",
    "token_count",
    "accelerator",
    "accelerator_count",
    "serving_accelerator",
    "serving_precision",
)


def laws(found: Iterable[answers.Law]) -> RenderableType:
    grid = grid_of("law", "form", "grade", "N range", "coefficients", "source", numeric=False)
    for law in found:
        coefficients = ", ".join(f"{name} {value:.4g}" for name, value in law.coefficients.items())
        spread = law.ranges.get("parameter_count")
        grid.add_row(
            law.name.removeprefix("laws/"),
            law.form,
            Text(law.grade, _GRADES.get(law.grade, "")),
            f"{shown('', spread.lower)} … {shown('', spread.upper)}" if spread else "–",
            coefficients,
            escape(law.citation),
        )
    return grid


def law(found: answers.Law) -> RenderableType:
    head = Text.assemble((found.name, "bold"), "  ", found.form, "  ", (found.grade, _GRADES.get(found.grade, "")))
    coefficients = grid_of("coefficient", "value", "interval", "standard error")
    for name, value in found.coefficients.items():
        interval = found.intervals.get(name)
        coefficients.add_row(
            name,
            f"{value:.6g}",
            f"{interval.lower:.6g} … {interval.upper:.6g}" if interval else "–",
            f"{interval.standard_error:.3g}" if interval and interval.standard_error is not None else "–",
        )
    facts = facts_of()
    if found.objective_value is not None:
        facts.add_row("objective", f"{found.objective_value:.10g}  {escape(found.objective)}")
    exponent = found.compute_optimal_exponent
    if exponent is not None:
        spread = f"  [{exponent.lower:.4f}, {exponent.upper:.4f}]" if exponent.lower < exponent.upper else ""
        facts.add_row("compute-optimal N", escape(f"∝ C^{exponent.value:.4f}{spread}"))
    for name, other in found.approach_exponents.items():
        if name != "parametric":
            where = "over all approaches" if name == "pooled" else f"by {name}"
            facts.add_row(f"  {where}", escape(f"∝ C^{other.value:.4f}  [{other.lower:.4f}, {other.upper:.4f}]"))
    for name, value_range in found.ranges.items():
        facts.add_row(f"range of {name}", f"{value_range.lower:.4g} … {value_range.upper:.4g}")
    for label, text in (
        ("formula", found.formula),
        ("value", found.metric),
        ("parameters counted", found.parameter_convention),
        ("compute model", found.compute_model),
        ("corpus", found.corpus),
        ("source", found.citation),
        ("notes", found.notes),
    ):
        if text:
            facts.add_row(label, escape(text))
    for name, number in found.diagnostics.items():
        if "." not in name:  # what is nested further is for programs
            facts.add_row(escape(name.replace("_", " ")), f"{number:.6g}")
    add_left_out(facts, found.excluded_forms)
    return stacked(head, coefficients, facts, *warned(found.warnings))


def add_left_out(facts: Grid, excluded: Mapping[str, str]) -> None:
    """One row a reason for which forms were left out of a choice."""
    for why in dict.fromkeys(excluded.values()):
        facts.add_row("left out", escape(f"{', '.join(form for form, said in excluded.items() if said == why)}: {why}"))


def run_sets(found: Iterable[answers.RunSet]) -> RenderableType:
    grid = grid_of("runs", "rows", "columns", "stored")
    for item in found:
        when = item.create_time.strftime("%Y-%m-%d %H:%M") if item.create_time else "–"
        grid.add_row(item.name, f"{item.row_count:,}", escape(", ".join(item.column_names)), when)
    return grid


def plans(found: Iterable[answers.Plan]) -> RenderableType:
    grid = grid_of("plan", "kind", "outcome", "objective", "decision")
    for item in found:
        value = item.metrics.get(item.objective)
        grid.add_row(
            item.name,
            item.kind.lower(),
            _outcome(item.outcome),
            f"{item.objective} {shown(item.objective, value.value if value else None)}",
            escape(_decision_line(item.decision)),
        )
    return grid


def plan(found: answers.Plan, explanation: str = "") -> RenderableType:
    head = Text.assemble(
        (found.kind.capitalize(), "bold"), " plan  ", _outcome(found.outcome), f"  minimises {found.objective}  "
    )
    head.append(found.name, "dim")
    parts: list[RenderableType] = [head]
    if found.feasible:
        parts += [_decision(found), _metrics(found)]
        parts += [_certificate(found.certificate)] if found.certificate else []
        parts += [_binding(found.binding)] if found.binding else []
        parts += [_alternatives(found)] if found.alternatives else []
    parts += _blocking(found.conflicts, found.relaxation)
    parts += warned(found.warnings)
    text = explanation or found.explanation
    parts += [Text(text)] if text else []
    return stacked(*parts)


def front(found: answers.Front) -> RenderableType:
    if not found.points:
        head = Text.assemble(("Front", "bold"), "  ", _outcome(found.outcome))
        return stacked(head, *_blocking(found.conflicts, found.relaxation), *warned(found.warnings))
    decisions = [
        name for name in _FRONT_DECISIONS if any(getattr(point.decision, name) is not None for point in found.points)
    ]
    grid = grid_of("#", *found.objectives, *decisions, numeric=False)
    for number, point in enumerate(found.points, start=1):
        metrics = (point.metrics[name].value if name in point.metrics else None for name in found.objectives)
        grid.add_row(
            str(number),
            *(shown(name, value) for name, value in zip(found.objectives, metrics, strict=True)),
            *(shown(name, getattr(point.decision, name)) for name in decisions),
        )
    head = Text.assemble(
        ("Front", "bold"),
        f"  {len(found.points)} points, none dominated",
        f"  unproven share of the box {found.hypervolume_gap:.2%}",
        f"  {found.search.planning_seconds:.2f} s" if found.search else "",
    )
    return stacked(head, grid, *warned(found.warnings))


def experiment(found: answers.ExperimentDesign) -> RenderableType:
    head = Text.assemble(("Pilot runs", "bold"), f"  {found.run_count} runs, {found.cost_flops:.3g} FLOP, {found.form}")
    facts = facts_of()
    for name, estimate in found.decision.items():
        spread = f"  [{shown(name, estimate.lower)} … {shown(name, estimate.upper)}]"
        facts.add_row(f"{name.replace('_', ' ')} as believed now", escape(shown(name, estimate.value) + spread))
    facts.add_row("expected regret now", _regret(found.before_loss, found.before_flops))
    facts.add_row("after these runs", _regret(found.after_loss, found.after_flops))
    if found.bound_loss is not None:
        facts.add_row("no design is below", _regret(found.bound_loss, None))
    return stacked(head, facts, table(found.runs))


def _regret(loss: float, flops: float | None) -> str:
    return f"{loss:.3g} in loss" + (f", {flops:.3g} FLOP" if flops is not None else "")


def table(found: Table) -> RenderableType:
    """At most a screenful, an interval beside its value, below it why rows were not answered; JSON and CSV have all."""
    names = [name for name in found.columns if not _is_bound(name, found) and name != _REASON]
    # What was asked for matters more than what was known before.
    asked = [name for name in names if name.startswith(("predicted_", "supported", "extrapolation"))]
    told = [name for name in names if name not in asked][: max(_MAX_COLUMNS - 2 * len(asked), 3)]
    kept = [name for name in names if name in told or name in asked]
    grid, refused = grid_of(*kept, numeric=False), []
    for number, row in enumerate(found.rows()):
        if number == _MAX_ROWS:
            break
        grid.add_row(*(_cell(name, row) for name in kept))
        if reason := row.get(_REASON):
            refused.append(Text(f"row {number + 1}: {reason}"))
    left_rows, left_columns = found.row_count - _MAX_ROWS, len(names) - len(kept)
    left = [f"{left_rows} more rows"] if left_rows > 0 else []
    left += [f"{left_columns} more columns"] if left_columns else []
    more = [Text(f"{' and '.join(left)}: --output csv or json", "dim")] if left else []
    return stacked(grid, *refused, *more) if refused or more else grid


def _is_bound(name: str, found: Table) -> bool:
    value, _, end = name.rpartition("_")
    return end in ("lower", "upper") and {value, f"{value}_lower", f"{value}_upper"} <= found.columns.keys()


def _cell(name: str, row: Mapping[str, Cell]) -> str:
    value = row[name]
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return escape(value)
    lower, upper = row.get(f"{name}_lower"), row.get(f"{name}_upper")
    interval = f"  ({lower:.3g} … {upper:.3g})" if isinstance(lower, float) and isinstance(upper, float) else ""
    return f"{value:.4g}{interval}"


def _decision(found: answers.Plan) -> RenderableType:
    grid = grid_of("decision", "value", "over the law's draws")
    for name, value in found.decision.values().items():
        interval = found.decision_intervals.get(name)
        spread = f"{shown(name, interval.lower)} … {shown(name, interval.upper)}" if interval else ""
        grid.add_row(name, escape(shown(name, value)), spread)
    return grid


def _metrics(found: answers.Plan) -> RenderableType:
    grid = grid_of("metric", "value", "interval")
    for name, estimate in found.metrics.items():
        spread = ""
        if estimate.lower < estimate.upper:
            spread = f"{shown(name, estimate.lower)} … {shown(name, estimate.upper)}  ({estimate.level:.0%})"
        grid.add_row(name, shown(name, estimate.value), spread)
    return grid


def _certificate(found: answers.Certificate) -> RenderableType:
    verdict = "meets every limit" if found.feasible else "does NOT meet every limit"
    return Text.assemble(
        ("certificate ", "bold"),
        f"within {found.relative_gap:.2g} of the best possible, {verdict}: {found.method}",
    )


def _binding(found: Sequence[answers.BindingLimit]) -> RenderableType:
    grid = grid_of("what binds", "limit", "elasticity")
    for item in found:
        grid.add_row(item.metric, shown(item.metric, item.limit), f"{item.elasticity:+.4f}")
    return grid


def _alternatives(found: answers.Plan) -> RenderableType:
    objective = found.objective
    grid = grid_of("runner-up", objective, "worse by", "why it lost", numeric=False)
    for item in found.alternatives:
        value = item.metrics.get(objective)
        line = escape(_decision_line(item.decision))
        grid.add_row(line, shown(objective, value), f"{item.relative_regret:.2%}", escape(item.why_not))
    return grid


def _blocking(conflicts: Sequence[answers.Conflict], relaxation: Sequence[answers.Relaxation]) -> list[RenderableType]:
    if not conflicts:
        return []
    needed: Mapping[str, answers.Relaxation] = {item.metric: item for item in relaxation}
    grid = grid_of("cannot hold together", "asked", "smallest that can be met", "why", numeric=False)
    for item in conflicts:
        give = needed.get(item.metric)
        enough = f"{shown(item.metric, give.smallest_feasible_limit)}  (×{give.factor:.4g})" if give else "–"
        grid.add_row(item.metric, shown(item.metric, item.limit), enough, escape(item.message))
    return [grid]


def warned(found: Sequence[answers.PlanWarning]) -> list[RenderableType]:
    """One line a warning."""
    return [Text.assemble((f"{item.code} ", "bold yellow"), item.message) for item in found]


def _decision_line(decision: answers.Decision) -> str:
    """A decision in one line: what, on what, how laid out."""
    d = decision
    parts = [f"{_COUNTS[name]} {shown(name, value)}" for name, value in d.values().items() if name in _COUNTS]
    parts += [f"{_times(d.accelerator_count)}{d.accelerator} {d.precision or ''}".rstrip()] if d.accelerator else []
    if d.serving_accelerator:
        served = f"{_times(d.serving_accelerator_count)}{d.serving_accelerator} {d.serving_precision or ''}".rstrip()
        parts.append(f"served on {served}")
    ways = (("TP", d.tensor_parallel), ("PP", d.pipeline_parallel), ("EP", d.expert_parallel), ("DP", d.data_parallel))
    layout = " ".join(f"{name}{number}" for name, number in ways if number and number > 1)
    parts += [layout] if layout else []
    parts += [f"{d.replica_count} replicas"] if d.replica_count and d.replica_count > 1 else []
    parts += [f"batch {d.batch_size}"] if d.batch_size else []
    return ", ".join(parts)


def _times(count: int | None) -> str:
    return f"{count:,} × " if count else ""


def _outcome(outcome: str) -> Text:
    return Text(outcome, _COLOURS.get(outcome, "bold red"))


def grid_of(*headers: str, numeric: bool = True) -> Grid:
    """An empty table for people."""
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for place, header in enumerate(headers):
        grid.add_column(header, justify="right" if numeric and place == 1 else "left", overflow="fold")
    return grid


def facts_of() -> Grid:
    """An empty list of label and fact."""
    grid = Grid(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    return grid


def stacked(*parts: RenderableType) -> RenderableType:
    """Parts below one another."""
    return Group(*(Padding(part, (0, 0, 1 if isinstance(part, Grid) and part.box is None else 0, 0)) for part in parts))
