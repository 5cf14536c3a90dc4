"""Fitting laws to runs.

>>> from planner.fitting import Runs, fit_law
>>> law = fit_law(Runs.read("runs.csv"), "chinchilla")
"""

from planner.fitting.document import from_document, to_document
from planner.fitting.fit import ComputeOptimalExponent, Estimate, FittedLaw, SearchEvidence, fit_law
from planner.fitting.observations import Observations, columns_of_variables, observe
from planner.fitting.rowfilter import chosen_rows
from planner.fitting.runs import Runs

__all__ = [
    "ComputeOptimalExponent",
    "Estimate",
    "FittedLaw",
    "Observations",
    "Runs",
    "SearchEvidence",
    "chosen_rows",
    "columns_of_variables",
    "fit_law",
    "from_document",
    "observe",
    "to_document",
]
