"""Experiment design: which pilot runs to buy for a decision.

>>> from planner.design import ComputeOptimal, grid, next_runs
>>> from planner.laws import form_class
>>> none = {"parameter_count": [], "token_count": []}
>>> plan = next_runs(none, [], grid(1e21), 1e21, form=form_class("chinchilla"), decision=ComputeOptimal(1e24))
"""

from planner.design.beliefs import Beliefs, believe
from planner.design.candidates import Candidates, grid
from planner.design.criterion import Criterion
from planner.design.decision import ComputeOptimal, Decision, LossAt
from planner.design.experiment import Design, beliefs_after, design, next_runs
from planner.design.misfit import Distance, Field
from planner.design.prior import Prior, felt_prior, law_prior, search_prior
from planner.design.relaxation import Relaxed, relax
from planner.design.stakes import stakes
from planner.design.whole_runs import whole_runs

__all__ = [
    "Beliefs",
    "Candidates",
    "ComputeOptimal",
    "Criterion",
    "Decision",
    "Design",
    "Distance",
    "Field",
    "LossAt",
    "Prior",
    "Relaxed",
    "believe",
    "beliefs_after",
    "design",
    "felt_prior",
    "grid",
    "law_prior",
    "next_runs",
    "relax",
    "search_prior",
    "stakes",
    "whole_runs",
]
