"""The form that extrapolates best, fitted the way that did: what `--form auto` means.

The choice is made by `planner.fitting.selection`, by splits among the runs themselves: the form, what groups share, and
Huber's δ. The law then is an ordinary fit of that form in that way to all of the runs, and its record says how the
choice was made, by how much it was won and which forms were left out of it. A law by group predicts by group, from the
column that named the groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from planner.fitting.fit import fit_law
from planner.fitting.fitted import FittedLaw
from planner.fitting.ranking import Comparison
from planner.fitting.refit import POOLED
from planner.fitting.rivals import rivals, unvaried, widened_by
from planner.fitting.runs import Runs
from planner.fitting.selection import compare_forms
from planner.fitting.trial import OnStage
from planner.laws.caution import Caution

AUTO = "auto"
DRAWN_VALUES = 1_500_000  # runs × coefficients × draws beyond which there are fewer draws, so that a fit takes seconds
FEWEST_DRAWS = 100
TRIED = 2  # forms fitted to all runs, where the fit of the first does not end at a minimum
LARGE, FEWER_STARTS = 10_000, 12  # runs × coefficients from which on fewer starts are polished


def fit_best(
    runs: Runs,
    *,
    name: str | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
    where: str | None = None,
    mapping: Mapping[str, str] | None = None,
    group: str | None = None,
    on_stage: OnStage | None = None,
) -> FittedLaw:
    """Fit the form that predicts held-out runs best among those that the columns allow.

    Where the fit of the form chosen does not converge on all runs, the next form that the splits do not tell from it
    is taken. Arguments and errors as of `fit_law`. The law warns FORM_NOT_TRUSTWORTHY where no form predicts held-out
    runs better than what takes no theory or no such fit converges, FORMS_DISAGREE where others that do nearly as well
    give another exponent, ONE_VALUE for what does not vary, and FEWER_DRAWS where the table is too large for all
    draws asked for.
    """
    found = compare_forms(runs, where=where, mapping=mapping, group=group, bootstrap=200, seed=seed, on_stage=on_stage)
    others = [s for s in found.ranking if s.tied and not s.baseline and s.form != found.chosen.form]
    others.sort(key=lambda score: score.extrapolation_error.value)
    laws: list[FittedLaw] = []
    for score in [found.chosen, *others][:TRIED]:
        values = found.rows_used * score.coefficient_count * _copies(runs, group, score.sharing)
        draws = min(bootstrap, max(FEWEST_DRAWS, DRAWN_VALUES // values))
        law = fit_law(
            runs,
            score.form,
            name=name or f"{AUTO}-{runs.sha256[:8]}",
            bootstrap=draws,
            seed=seed,
            where=where,
            mapping=mapping,
            starts=FEWER_STARTS if values > LARGE else None,
            group=group,
            sharing=score.sharing,
            delta=score.huber_delta,
        )
        sentence = f"{draws} draws in place of {bootstrap}, for {found.rows_used} runs"
        fewer = (Caution("FEWER_DRAWS", sentence),) if draws < bootstrap else ()
        laws.append(replace(law, warnings=fewer + law.warnings))
        if _converged(law):
            break
    law = next(filter(_converged, laws), laws[0])
    besides = {
        n: pair for n, pair in rivals(found, runs, where, mapping).items() if n != law.provenance.options["form"]
    }
    law = widened_by(law, besides)
    return told(replace(law, warnings=law.warnings + unvaried(law, runs, where, mapping)), found)


def told(law: FittedLaw, found: Comparison) -> FittedLaw:
    """The law with what is to be known of the choice."""
    statement, excluded = found.statement, dict(found.excluded)
    if not _converged(law):
        statement += f"; the fit of {found.chosen.form} to all runs does not converge"
    elif law.provenance.options["form"] != found.chosen.form:
        excluded[found.chosen.form] = "its fit to all runs does not converge"
    doubted = not found.trustworthy or not _converged(law)
    cautions = (Caution("FORM_NOT_TRUSTWORTHY", statement),) if doubted else ()
    options = {**law.provenance.options, "form chosen": f"of {len(found.ranking)} by extrapolation; {statement}"}
    return replace(
        law,
        warnings=cautions + law.warnings,
        provenance=replace(law.provenance, options=options),
        excluded_forms=excluded,
    )


def _converged(law: FittedLaw) -> bool:
    return all(caution.code != "NOT_CONVERGED" for caution in law.warnings)


def _copies(runs: Runs, group: str | None, sharing: str) -> int:
    """How many times a form has its coefficients."""
    return 1 if group is None or sharing == POOLED else len(set(runs.column(group).cells.astype(str).tolist()))
