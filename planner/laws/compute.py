"""How many FLOPs a training run costs: compute models as objects, because papers do not count alike.

`training_flops` and `inference_flops_per_token` are plain arithmetic (posynomials in the parameter and token
counts), so that the same object counts a finished run and bounds a plan. Attention terms either take a fixed
shape, or follow from the parameter count at a constant aspect ratio (width / layers), where 12 layers × width²
parameters make them a monomial in N^(2/3).

Sources: Kaplan et al. 2020 (2001.08361) §2.1; Hoffmann et al. 2022 (2203.15556) App. F; DeepSeek-AI 2024
(2401.02954) Eq. 2; Porian et al. 2024 (2406.19146) for the causal count; Krajewski et al. 2024 (2402.07871), Frantar et
al. 2023 (2309.08520), Kumar et al. 2024 (2411.04330), Busbridge et al. 2025 (2502.08606) Eq. 9.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from planner.errors import UnknownName

TRAINING_PASSES = 3.0  # one forward and a backward twice as dear
FULL_BITS = 16.0


@dataclass(frozen=True)
class ComputeModel(ABC):
    """FLOPs as a function of parameters and tokens; `proportional` if training FLOPs are 6 N D exactly."""

    name: ClassVar[str]
    counting: ClassVar[str] = ""  # which parameters `parameter_count` must count; "": those that the law counts
    proportional: ClassVar[bool] = False

    @abstractmethod
    def inference_flops_per_token(self, parameter_count: Any) -> Any:
        """FLOP of one forward pass, per token."""

    def training_flops_per_token(self, parameter_count: Any) -> Any:
        """FLOP of a forward and a backward pass, per token."""
        return TRAINING_PASSES * self.inference_flops_per_token(parameter_count)

    def training_flops(self, parameter_count: Any, token_count: Any) -> Any:
        """FLOP of training on `token_count` tokens (repeats counted)."""
        return self.training_flops_per_token(parameter_count) * token_count


@dataclass(frozen=True)
class Simple(ComputeModel):
    """C = 6 N D: two FLOP per parameter and token forward, four backward."""

    name: ClassVar[str] = "simple"
    proportional: ClassVar[bool] = True

    def inference_flops_per_token(self, parameter_count: Any) -> Any:
        return 2.0 * parameter_count


@dataclass(frozen=True)
class ActiveExperts(ComputeModel):
    """Mixture of experts: only the parameters a token passes through cost FLOPs, C = 6 N_active D."""

    name: ClassVar[str] = "active-experts"
    counting: ClassVar[str] = "active"
    proportional: ClassVar[bool] = True

    def inference_flops_per_token(self, parameter_count: Any) -> Any:
        return 2.0 * parameter_count


@dataclass(frozen=True)
class ShapedAttention(ComputeModel):
    """2 N + 2 layers × context × width per token forward (causal), twice the second term if counted in full."""

    name: ClassVar[str] = "shaped-attention"
    counting: ClassVar[str] = "non_embedding"

    layer_count: float
    attention_width: float
    context_length: float
    causal: bool = True

    def inference_flops_per_token(self, parameter_count: Any) -> Any:
        factor = 2.0 if self.causal else 4.0
        return 2.0 * parameter_count + factor * self.layer_count * self.context_length * self.attention_width


@dataclass(frozen=True)
class AspectAttention(ComputeModel):
    """Attention of a family with a constant width / layers ratio: N = 12 layers × width² fixes both."""

    name: ClassVar[str] = "aspect-attention"
    counting: ClassVar[str] = "non_embedding"

    context_length: float
    aspect_ratio: float
    causal: bool = True

    def inference_flops_per_token(self, parameter_count: Any) -> Any:
        factor = 2.0 if self.causal else 4.0
        layers_times_width = (parameter_count / 12.0) ** (2.0 / 3.0) * self.aspect_ratio ** (-1.0 / 3.0)
        return 2.0 * parameter_count + factor * self.context_length * layers_times_width


@dataclass(frozen=True)
class NonEmbeddingFlops(ComputeModel):
    """DeepSeek's M: (72 layers × width² + 12 layers × width × context) FLOP per training token.

    M takes the place of 6N; it depends on the shape alone, `parameter_count` is not used.
    """

    name: ClassVar[str] = "non-embedding-flops"
    counting: ClassVar[str] = "non_embedding"

    layer_count: float
    model_width: float
    context_length: float

    def inference_flops_per_token(self, parameter_count: Any) -> Any:
        per_layer = 72.0 * self.model_width**2 + 12.0 * self.model_width * self.context_length
        return self.layer_count * per_layer / TRAINING_PASSES


@dataclass(frozen=True)
class WithUnembedding(ComputeModel):
    """2 N + attention as of a shape + 2 × vocabulary × width per token forward: the head, which Kaplan leaves out.

    No layers (the default) leave attention out.
    """

    name: ClassVar[str] = "with-unembedding"
    counting: ClassVar[str] = "non_embedding"

    vocabulary_size: float
    model_width: float
    layer_count: float = 0.0
    context_length: float = 0.0
    causal: bool = True

    def inference_flops_per_token(self, parameter_count: Any) -> Any:
        body = ShapedAttention(self.layer_count, self.model_width, self.context_length, self.causal)
        return body.inference_flops_per_token(parameter_count) + 2.0 * self.vocabulary_size * self.model_width


@dataclass(frozen=True)
class GranularExperts(ComputeModel):
    """Fine-grained experts with their routing: (12 width² c_f + width × experts × granularity c_r) × layers per token.

    c_f counts the passes of an active parameter (6 in training), c_r the FLOPs of routing; it depends on the shape
    alone, `parameter_count` is not used.
    """

    name: ClassVar[str] = "granular-experts"
    counting: ClassVar[str] = "active"

    layer_count: float
    model_width: float
    expert_count: float
    granularity: float
    routing_flops: float
    parameter_flops: float = 6.0

    def inference_flops_per_token(self, parameter_count: Any) -> Any:
        active = 12.0 * self.model_width**2 * self.parameter_flops
        routing = self.model_width * self.expert_count * self.granularity * self.routing_flops
        return (active + routing) * self.layer_count / TRAINING_PASSES


@dataclass(frozen=True)
class SparseWeights(ComputeModel):
    """Weights that end up zero cost as much as the others in training: C = 6 (N / density) D, N non-zero.

    Answers cost 2 N only where `sparse_inference` says that the hardware gains by it.
    """

    name: ClassVar[str] = "sparse-weights"
    counting: ClassVar[str] = "nonzero"
    proportional: ClassVar[bool] = True

    density: float
    sparse_inference: bool = False

    def inference_flops_per_token(self, parameter_count: Any) -> Any:
        return 2.0 * parameter_count * (1.0 if self.sparse_inference else 1.0 / self.density)

    def training_flops_per_token(self, parameter_count: Any) -> Any:
        return TRAINING_PASSES * 2.0 * parameter_count / self.density


@dataclass(frozen=True)
class LowPrecision(ComputeModel):
    """Compute in proportion to the bits that are multiplied, 6 N D at sixteen: C = 6 N D bits/16."""

    name: ClassVar[str] = "low-precision"
    proportional: ClassVar[bool] = True

    bits: float

    def inference_flops_per_token(self, parameter_count: Any) -> Any:
        return 2.0 * parameter_count * self.bits / FULL_BITS


@dataclass(frozen=True)
class DistillationFlops(ComputeModel):
    """A student, its teacher's answers to the student's tokens, and its teacher's own training where that is counted.

    6 N D + 2 T D + 6 T D_T with T the teacher's parameters: the second term falls away where answers are stored
    (`teacher_answers` false), the third where the teacher exists already or is shared (`teacher_training` false).
    """

    name: ClassVar[str] = "distillation"

    teacher_parameter_count: float
    teacher_token_count: float
    teacher_answers: bool = True
    teacher_training: bool = False

    def inference_flops_per_token(self, parameter_count: Any) -> Any:
        return 2.0 * parameter_count

    def training_flops(self, parameter_count: Any, token_count: Any) -> Any:
        teacher = SIMPLE.inference_flops_per_token(self.teacher_parameter_count)
        answers = teacher * token_count if self.teacher_answers else 0.0
        training = TRAINING_PASSES * teacher * self.teacher_token_count if self.teacher_training else 0.0
        return self.training_flops_per_token(parameter_count) * token_count + answers + training


def question_flops(
    parameter_count: Any, tokens_per_sample: Any, sample_count: Any, verifier_flops_per_sample: Any = 0.0
) -> Any:
    """FLOP of answering a question by samples that a verifier chooses from: k (2 N T + verifier)."""
    sampled = SIMPLE.inference_flops_per_token(parameter_count) * tokens_per_sample
    return sample_count * (sampled + verifier_flops_per_sample)


SIMPLE = Simple()
ACTIVE_EXPERTS = ActiveExperts()
COMPUTE_MODELS: tuple[type[ComputeModel], ...] = (
    Simple,
    ActiveExperts,
    ShapedAttention,
    AspectAttention,
    NonEmbeddingFlops,
    WithUnembedding,
    GranularExperts,
    SparseWeights,
    LowPrecision,
    DistillationFlops,
)


def compute_model(name: str, **shape: Any) -> ComputeModel:
    """The compute model called `name`, with its shape (layer_count, context_length, …). Raises UnknownName."""
    known = {m.name: m for m in COMPUTE_MODELS}
    if name.lower() not in known:
        raise UnknownName("compute_model", name, known)
    return known[name.lower()](**shape)
