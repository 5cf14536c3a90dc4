"""Scaling laws: forms, published coefficients, compute models and parameter counts.

>>> from planner.laws import law
>>> prediction = law("besiroglu-2024").predict({"parameter_count": 70e9, "token_count": 1.4e12})
"""

from planner.laws.catalogue import law, laws
from planner.laws.caution import Caution
from planner.laws.chinchilla import Chinchilla
from planner.laws.compute import ACTIVE_EXPERTS, SIMPLE, ComputeModel, compute_model
from planner.laws.counting import DENSE, CountingFacts, convert
from planner.laws.data_constrained import DataConstrained
from planner.laws.exponents import KnownExponents, known_exponents
from planner.laws.families import Family, families, family
from planner.laws.form import Coefficient, Form, LossTerms, OptimisationClass
from planner.laws.forms import FORMS, form_class
from planner.laws.joint_moe import JointMoE
from planner.laws.kaplan import Kaplan
from planner.laws.law import Law, Prediction, Provenance, Span

__all__ = [
    "ACTIVE_EXPERTS",
    "DENSE",
    "FORMS",
    "SIMPLE",
    "Caution",
    "Chinchilla",
    "Coefficient",
    "ComputeModel",
    "CountingFacts",
    "DataConstrained",
    "Family",
    "Form",
    "JointMoE",
    "KnownExponents",
    "Kaplan",
    "Law",
    "LossTerms",
    "OptimisationClass",
    "Prediction",
    "Provenance",
    "Span",
    "compute_model",
    "convert",
    "families",
    "family",
    "form_class",
    "known_exponents",
    "law",
    "laws",
]
