"""Planning questions, their certified answers, and the search that finds them."""

from planner.allocation.choices import HardwareChoice, Workload
from planner.allocation.deployment import plan_deployment
from planner.allocation.explain import explain
from planner.allocation.front import compute_front
from planner.allocation.lawvariables import LawVariable
from planner.allocation.lifecycle import plan_lifecycle
from planner.allocation.nyquist import NyquistScenario, nyquist_scenario
from planner.allocation.plan import Decision, Estimate, Front, Kind, Outcome, Plan
from planner.allocation.problem import (
    DeploymentProblem,
    FrontProblem,
    LifecycleProblem,
    TrainingProblem,
)
from planner.allocation.training import plan_training

__all__ = [
    "Decision",
    "DeploymentProblem",
    "Estimate",
    "Front",
    "FrontProblem",
    "HardwareChoice",
    "Kind",
    "LawVariable",
    "LifecycleProblem",
    "NyquistScenario",
    "Outcome",
    "Plan",
    "TrainingProblem",
    "Workload",
    "compute_front",
    "explain",
    "nyquist_scenario",
    "plan_deployment",
    "plan_lifecycle",
    "plan_training",
]
