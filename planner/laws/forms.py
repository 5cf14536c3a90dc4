"""The table of forms: one row per functional form the planner knows, dense ones first."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from planner.errors import UnknownName
from planner.laws import broken, fine_tuning, learning_curves, logarithms, monomials, power_laws, precision, transfer
from planner.laws.allocation_line import ALLOCATION_LINES
from planner.laws.batch_size import BatchTradeOff
from planner.laws.board_games import BoardGameElo, SearchForTraining
from planner.laws.by_group import MOST_GROUPS, SEPARATOR, by_group
from planner.laws.chinchilla import Chinchilla
from planner.laws.comprehensive_moe import ComprehensiveMoE
from planner.laws.compute_sigmoid import ComputeSigmoid
from planner.laws.coupled import Coupled
from planner.laws.coverage import Coverage
from planner.laws.data_constrained import DataConstrained
from planner.laws.data_pools import FEWEST_POOLS, MOST_POOLS, data_pools
from planner.laws.data_pruning import DataPruning
from planner.laws.data_utility import DataUtility
from planner.laws.datastore import Datastore
from planner.laws.dense_retriever import DenseRetriever
from planner.laws.density import CapabilityDensity
from planner.laws.distillation import Distillation
from planner.laws.domain_share import DomainShare
from planner.laws.downstream import DownstreamError
from planner.laws.error_surface import ErrorSurface
from planner.laws.expert_sparsity import ExpertSparsity, ExpertSparsityAtFixedData
from planner.laws.farseer import Farseer
from planner.laws.fine_grained_moe import FineGrainedMoE
from planner.laws.form import Form
from planner.laws.graphs import GraphSize
from planner.laws.hyper_parameter_surface import HyperParameterSurface
from planner.laws.intrinsic_performance import IntrinsicPerformance
from planner.laws.joint_moe import JointMoE
from planner.laws.kaplan import Kaplan
from planner.laws.kaplan_steps import KaplanSteps
from planner.laws.magnitude_pruning import MagnitudePruning, PrunedNetwork
from planner.laws.mixture_power import mixture_power
from planner.laws.mixtures import FEWEST_DOMAINS, MOST_DOMAINS, mixture
from planner.laws.multimodal import Bimodal
from planner.laws.observational import FEWEST_CAPABILITIES, MOST_CAPABILITIES, observational
from planner.laws.overfitting import Overfitting
from planner.laws.parallel_streams import ParallelStreams
from planner.laws.performance_of_loss import LineInLoss, LossThreshold
from planner.laws.quantized_training import QuantizedTraining
from planner.laws.rectified import Rectified
from planner.laws.repeated_sampling import RepeatedSampling
from planner.laws.reward_overoptimisation import BestOfNReward, OptimisedReward
from planner.laws.routed_experts import RoutedExperts
from planner.laws.routed_with_data import RoutedWithData
from planner.laws.shape import ShapeDimension
from planner.laws.shifted_power import ShiftedPower
from planner.laws.skill_quanta import SkillQuanta
from planner.laws.sparse import Sparse, SparseAtFixedData
from planner.laws.sparse_autoencoder import AutoEncoder
from planner.laws.tied_exponents import TiedExponents
from planner.laws.time_series import LookBack
from planner.laws.trained_after_pruning import TrainedAfterPruning
from planner.laws.vocabulary import Vocabulary, VocabularySize
from planner.laws.vocabulary_curve import VocabularyCurve
from planner.laws.votes import Votes

FORMS: tuple[type[Form], ...] = (
    Chinchilla,
    TiedExponents,
    SkillQuanta,
    Kaplan,
    KaplanSteps,
    Coupled,
    Farseer,
    DataConstrained,
    Overfitting,
    DataUtility,
    data_pools(2),
    DataPruning,
    JointMoE,
    RoutedExperts,
    RoutedWithData,
    FineGrainedMoE,
    ComprehensiveMoE,
    ExpertSparsity,
    ExpertSparsityAtFixedData,
    Sparse,
    SparseAtFixedData,
    PrunedNetwork,
    MagnitudePruning,
    TrainedAfterPruning,
    precision.WeightPrecision,
    precision.TrainingPrecision,
    precision.PostTrainingPrecision,
    QuantizedTraining,
    Distillation,
    transfer.TransferredData,
    transfer.TransferLowData,
    transfer.Transfer,
    fine_tuning.FineTuningBySize,
    fine_tuning.FineTuningByPretraining,
    fine_tuning.FineTuningByTunable,
    Rectified,
    DenseRetriever,
    Datastore,
    mixture(5),
    mixture_power(5),
    DomainShare,
    Vocabulary,
    VocabularySize,
    VocabularyCurve,
    ParallelStreams,
    RepeatedSampling,
    Coverage,
    Votes,
    ErrorSurface,
    ShapeDimension,
    Bimodal,
    GraphSize,
    LookBack,
    IntrinsicPerformance,
    BestOfNReward,
    OptimisedReward,
    ComputeSigmoid,
    BoardGameElo,
    SearchForTraining,
    DownstreamError,
    LineInLoss,
    LossThreshold,
    observational(3),
    AutoEncoder,
    CapabilityDensity,
    learning_curves.M1,
    learning_curves.M2,
    learning_curves.M3,
    learning_curves.M4,
    ShiftedPower,
    broken.BrokenOnce,
    broken.BrokenTwice,
    power_laws.PowerOfTokens,
    power_laws.PowerOfParameters,
    power_laws.PowerOfCompute,
    power_laws.PowerOfContext,
    power_laws.PowerOfLoss,
    power_laws.EnsembleLoss,
    logarithms.LogarithmOfCompute,
    logarithms.LogarithmOfParameters,
    monomials.MonomialOfCompute,
    monomials.MonomialOfTokens,
    monomials.MonomialOfParameters,
    monomials.MonomialOfLoss,
    monomials.MonomialOfParametersAndTokens,
    BatchTradeOff,
    HyperParameterSurface,
)


# Forms that come in any number of a thing, by their stem: fewest, most, and the form of so many.
NUMBERED: Mapping[str, tuple[int, int, Callable[[int], type[Form]]]] = {
    "mixture": (FEWEST_DOMAINS, MOST_DOMAINS, mixture),
    "mixture-power": (FEWEST_DOMAINS, MOST_DOMAINS, mixture_power),
    "data-pools": (FEWEST_POOLS, MOST_POOLS, data_pools),
    "observational": (FEWEST_CAPABILITIES, MOST_CAPABILITIES, observational),
}


def form_class(name: str) -> type[Form]:
    """The form called `name`, without regard to case; `<stem>-<n>` for any number that a numbered form comes in.

    `<form>@<groups>:<coefficients>` is the form with these coefficients one per group (see `planner.laws.by_group`).
    Raises UnknownName with suggestions.
    """
    plain, grouped, rest = name.partition(SEPARATOR)
    if grouped:
        return _by_group(form_class(plain), rest)
    stem, _, number = name.lower().rpartition("-")
    if stem in NUMBERED and number.isdecimal():
        fewest, most, of_so_many = NUMBERED[stem]
        if fewest <= int(number) <= most:
            return of_so_many(int(number))
    known: dict[str, type[Form]] = {f.form_name: f for f in (*FORMS, *ALLOCATION_LINES)}
    if name.lower() not in known:
        raise UnknownName("form", name, known)
    return known[name.lower()]


def _by_group(form: type[Form], rest: str) -> type[Form]:
    """The form for `rest`, `<groups>:<coefficients>`."""
    count, _, names = rest.partition(":")
    own = names.split(",")
    if not re.fullmatch(r"\d{1,3}", count) or not 1 <= int(count) <= MOST_GROUPS:
        raise UnknownName("number of groups", count, [str(k) for k in range(1, MOST_GROUPS + 1)])
    for coefficient in own:
        if coefficient not in form.names():
            raise UnknownName("coefficient", coefficient, form.names())
    return by_group(form, own, int(count))
