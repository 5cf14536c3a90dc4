"""Fitting laws to runs.

>>> from planner.fitting import Runs, fit_law
>>> law = fit_law(Runs.read("runs.csv"), "chinchilla")
"""

from planner.fitting.approaches import Approach, Approaches, compare_approaches
from planner.fitting.automatic import fit_best
from planner.fitting.columns import columns_of_variables
from planner.fitting.document import from_document, to_document
from planner.fitting.envelope import fit_envelope
from planner.fitting.estimates import ComputeOptimalExponent, Estimate
from planner.fitting.fit import fit_law, observed_as
from planner.fitting.fitted import FittedLaw
from planner.fitting.isoflop import fit_isoflop
from planner.fitting.minimum import SearchEvidence
from planner.fitting.observations import Observations, observe
from planner.fitting.ranking import Comparison
from planner.fitting.recounting import counted_as
from planner.fitting.rowfilter import chosen_rows
from planner.fitting.runs import Runs
from planner.fitting.selection import compare_forms, compare_targets
from planner.fitting.sensitivity import Sensitivity, Variant, plan_sensitivity
from planner.fitting.sources import Source

__all__ = [
    "Approach",
    "Approaches",
    "Comparison",
    "ComputeOptimalExponent",
    "Estimate",
    "FittedLaw",
    "Observations",
    "Runs",
    "SearchEvidence",
    "Sensitivity",
    "Source",
    "Variant",
    "chosen_rows",
    "columns_of_variables",
    "compare_approaches",
    "compare_forms",
    "compare_targets",
    "counted_as",
    "fit_best",
    "fit_envelope",
    "fit_isoflop",
    "fit_law",
    "from_document",
    "observe",
    "observed_as",
    "plan_sensitivity",
    "to_document",
]
