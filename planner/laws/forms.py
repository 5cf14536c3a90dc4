"""The table of forms: one row per functional form the planner knows, dense ones first."""

from __future__ import annotations

import re

from planner.errors import UnknownName
from planner.laws import (
    broken,
    learning_curves,
    monomials,
    per_question,
    power_laws,
    precision,
    reinforcement,
    transfer,
)
from planner.laws.allocation_line import ALLOCATION_LINES
from planner.laws.by_group import MOST_GROUPS, SEPARATOR, by_group
from planner.laws.chinchilla import Chinchilla
from planner.laws.coupled import Coupled
from planner.laws.data_constrained import DataConstrained
from planner.laws.data_utility import DataUtility
from planner.laws.distillation import Distillation
from planner.laws.downstream import AutoEncoder, DownstreamError
from planner.laws.error_surface import ErrorSurface
from planner.laws.expert_sparsity import ExpertSparsity, ExpertSparsityAtFixedData
from planner.laws.farseer import Farseer
from planner.laws.fine_grained_moe import FineGrainedMoE
from planner.laws.form import Form
from planner.laws.joint_moe import JointMoE
from planner.laws.kaplan import Kaplan
from planner.laws.kaplan_steps import KaplanSteps
from planner.laws.mixture_power import mixture_power
from planner.laws.mixtures import FEWEST_DOMAINS, MOST_DOMAINS, DomainShare, mixture
from planner.laws.multimodal import Bimodal
from planner.laws.overfitting import Overfitting
from planner.laws.pruning import MagnitudePruning, TrainedAfterPruning
from planner.laws.retrieval import Datastore, DenseRetriever
from planner.laws.routed_experts import RoutedExperts, RoutedWithData
from planner.laws.shape import ShapeDimension
from planner.laws.sparse import Sparse, SparseAtFixedData
from planner.laws.tied_exponents import TiedExponents
from planner.laws.vocabulary import Vocabulary, VocabularySize
from planner.laws.vocabulary_curve import VocabularyCurve

FORMS: tuple[type[Form], ...] = (
    Chinchilla,
    TiedExponents,
    Kaplan,
    KaplanSteps,
    Coupled,
    Farseer,
    DataConstrained,
    Overfitting,
    DataUtility,
    JointMoE,
    RoutedExperts,
    RoutedWithData,
    FineGrainedMoE,
    ExpertSparsity,
    ExpertSparsityAtFixedData,
    Sparse,
    SparseAtFixedData,
    MagnitudePruning,
    TrainedAfterPruning,
    precision.WeightPrecision,
    precision.TrainingPrecision,
    precision.PostTrainingPrecision,
    Distillation,
    transfer.TransferredData,
    transfer.TransferLowData,
    transfer.Transfer,
    transfer.FineTuningBySize,
    transfer.FineTuningByPretraining,
    transfer.FineTuningByTunable,
    learning_curves.Rectified,
    DenseRetriever,
    Datastore,
    mixture(5),
    mixture_power(5),
    DomainShare,
    Vocabulary,
    VocabularySize,
    VocabularyCurve,
    per_question.ParallelStreams,
    per_question.RepeatedSampling,
    per_question.Coverage,
    per_question.Votes,
    ErrorSurface,
    ShapeDimension,
    Bimodal,
    reinforcement.IntrinsicPerformance,
    reinforcement.BestOfNReward,
    reinforcement.OptimisedReward,
    reinforcement.ComputeSigmoid,
    reinforcement.BoardGameElo,
    reinforcement.SearchForTraining,
    DownstreamError,
    AutoEncoder,
    learning_curves.M1,
    learning_curves.M2,
    learning_curves.M3,
    learning_curves.M4,
    learning_curves.ShiftedPower,
    broken.BrokenOnce,
    broken.BrokenTwice,
    power_laws.PowerOfTokens,
    power_laws.PowerOfParameters,
    power_laws.PowerOfCompute,
    power_laws.PowerOfContext,
    power_laws.PowerOfLoss,
    power_laws.EnsembleLoss,
    monomials.MonomialOfCompute,
    monomials.MonomialOfTokens,
    monomials.MonomialOfParameters,
    monomials.MonomialOfLoss,
    monomials.MonomialOfParametersAndTokens,
    monomials.BatchTradeOff,
)


def form_class(name: str) -> type[Form]:
    """The form called `name`, without regard to case; `mixture-<n>`, `mixture-power-<n>` for any number of domains.

    `<form>@<groups>:<coefficients>` is the form with these coefficients one per group (see `planner.laws.by_group`).
    Raises UnknownName with suggestions.
    """
    plain, grouped, rest = name.partition(SEPARATOR)
    if grouped:
        return _grouped(form_class(plain), rest)
    known: dict[str, type[Form]] = {f.form_name: f for f in (*FORMS, *ALLOCATION_LINES)}
    domains = re.fullmatch(r"mixture(-power)?-(\d{1,3})", name.lower())
    if domains and FEWEST_DOMAINS <= int(domains[2]) <= MOST_DOMAINS:
        return mixture_power(int(domains[2])) if domains[1] else mixture(int(domains[2]))
    if name.lower() not in known:
        raise UnknownName("form", name, known)
    return known[name.lower()]


def _grouped(form: type[Form], rest: str) -> type[Form]:
    count, _, names = rest.partition(":")
    own = names.split(",")
    if not re.fullmatch(r"\d{1,3}", count) or not 1 <= int(count) <= MOST_GROUPS:
        raise UnknownName("number of groups", count, [str(k) for k in range(1, MOST_GROUPS + 1)])
    for coefficient in own:
        if coefficient not in form.names():
            raise UnknownName("coefficient", coefficient, form.names())
    return by_group(form, own, int(count))
