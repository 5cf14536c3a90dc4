"""The form that extrapolates best, fitted: what `--form auto` means.

The choice is made by `planner.fitting.selection`, by splits among the runs themselves; the law then is an ordinary fit
of the chosen form to all of them, and its record says how the form was chosen and by how much it won.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from planner.fitting.fit import FittedLaw, fit_law
from planner.fitting.runs import Runs
from planner.fitting.selection import compare_forms
from planner.fitting.trial import OnStage
from planner.laws.caution import Caution

AUTO = "auto"


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

    Arguments and errors as of `fit_law`. The law warns FORM_NOT_TRUSTWORTHY where no form predicts held-out runs
    better than what takes no theory.
    """
    found = compare_forms(runs, where=where, mapping=mapping, seed=seed, on_stage=on_stage)
    law = fit_law(
        runs,
        found.chosen.form,
        name=name or f"{AUTO}-{runs.sha256[:8]}",
        bootstrap=bootstrap,
        seed=seed,
        where=where,
        mapping=mapping,
        group=group,
    )
    cautions = () if found.trustworthy else (Caution("FORM_NOT_TRUSTWORTHY", found.statement),)
    options = {**law.provenance.options, "form chosen": f"of {len(found.ranking)} by extrapolation; {found.statement}"}
    return replace(law, warnings=cautions + law.warnings, provenance=replace(law.provenance, options=options))
