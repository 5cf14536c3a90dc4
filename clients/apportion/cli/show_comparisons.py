"""Comparisons drawn for people: of forms, of forms over several targets, of approaches. Nothing is computed here."""

from __future__ import annotations

from rich.console import RenderableType
from rich.markup import escape
from rich.text import Text

from apportion import answers
from apportion.cli.show import add_left_out, facts_of, grid_of, stacked, warned


def forms(found: answers.FormComparison) -> RenderableType:
    """Forms by extrapolation error; the held-out runs' error beside it where there are any."""
    percent = found.error_kind == "log_ratio"
    grid = grid_of("form", "error", "interval", "held out", "R²", "fitted", numeric=True)
    for score in found.ranking:
        error, checked = score.extrapolation_error, score.holdout_error
        name = Text(score.form, "dim" if score.baseline else "bold" if score.form == found.chosen_form else "")
        r_squared = "–" if score.holdout_r_squared is None else f"{score.holdout_r_squared:.4f}"
        way = "" if score.baseline else f"{score.coefficient_count} coefficients, {score.sharing}"
        way += f", worst for {escape(score.worst_group)}" if score.worst_group and way else ""
        grid.add_row(
            name,
            _error(error.value, percent) if error else "–",
            f"{_error(error.lower, percent)} … {_error(error.upper, percent)}" if error else "–",
            _error(checked.value, percent) if checked else "–",
            r_squared,
            ", ".join(filter(None, (way, "tied" if score.tied and score.form != found.chosen_form else ""))),
        )
    splits = facts_of()
    for split in found.splits:
        splits.add_row(escape(split.name), f"{split.fitted_row_count} runs fitted, {split.held_row_count} predicted")
    chosen = next((score for score in found.ranking if score.form == found.chosen_form), None)
    for group, value in (chosen.group_errors if chosen else {}).items():
        splits.add_row(f"{found.chosen_form} errs in {escape(group)} by", _error(value, percent))
    add_left_out(splits, found.excluded_forms)
    return stacked(_verdict(found), grid, splits)


def targets(found: answers.TargetComparison) -> RenderableType:
    """One row a column of losses: the form they share, its error there, and whether it can be trusted."""
    head = Text.assemble(("chosen ", "bold green"), (found.chosen_form, "bold"), f"  for {len(found.targets)} targets")
    grid = grid_of("target", "error", "interval", "held out", "R²", "", numeric=True)
    for target, comparison in found.targets.items():
        percent = comparison.error_kind == "log_ratio"
        score = next(each for each in comparison.ranking if each.form == comparison.chosen_form)
        error, checked, r_squared = score.extrapolation_error, score.holdout_error, score.holdout_r_squared
        grid.add_row(
            escape(target),
            _error(error.value, percent) if error else "–",
            f"{_error(error.lower, percent)} … {_error(error.upper, percent)}" if error else "–",
            _error(checked.value, percent) if checked else "–",
            "–" if r_squared is None else f"{r_squared:.4f}",
            "trustworthy" if comparison.trustworthy else "not to be trusted",
        )
    return stacked(head, grid)


def approaches(found: answers.ApproachComparison) -> RenderableType:
    """The exponents side by side, with what each is known to get wrong."""
    grid = grid_of("approach", "N* ∝ C^a", "interval", "D* ∝ C^b", numeric=True)
    notes = facts_of()
    for approach in found.approaches:
        exponent = approach.compute_optimal_exponent
        tokens = exponent.token_count if exponent else None
        grid.add_row(
            approach.name,
            f"{exponent.value:.4f}" if exponent else "–",
            f"{exponent.lower:.4f} … {exponent.upper:.4f}" if exponent else "–",
            f"{tokens.value:.4f}" if tokens else "–",
        )
        if approach.caveat:
            notes.add_row(approach.name, escape(approach.caveat))
    pooled = found.pooled
    verdict = Text.assemble(
        ("disagreement ", "bold"),
        f"{found.disagreement:.4f}",
        f"  over the draws of all approaches {pooled.lower:.4f} … {pooled.upper:.4f}",
    )
    said = [warning for approach in found.approaches for warning in approach.warnings]
    return stacked(verdict, grid, notes, *warned(said))


def _verdict(found: answers.FormComparison) -> Text:
    return Text.assemble(
        ("chosen " if found.trustworthy else "not to be trusted ", "bold green" if found.trustworthy else "bold red"),
        (found.chosen_form, "bold"),
        f"  {found.statement}",
    )


def _error(value: float, percent: bool) -> str:
    return f"{value:.2%}" if percent else f"{value:.4g}"
