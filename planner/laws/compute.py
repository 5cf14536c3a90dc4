"""How many FLOPs a training run costs: compute models as objects, because papers do not count alike.

`training_flops` and `inference_flops_per_token` are plain arithmetic (posynomials in the parameter and token
counts), so that the same object counts a finished run and bounds a plan. Attention terms either take a fixed
shape, or follow from the parameter count at a constant aspect ratio (width / layers), where 12 layers × width²
parameters make them a monomial in N^(2/3).

Sources: Kaplan et al. 2020 (2001.08361) §2.1; Hoffmann et al. 2022 (2203.15556) App. F; DeepSeek-AI 2024
(2401.02954) Eq. 2; Porian et al. 2024 (2406.19146) for the causal count.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from planner.errors import UnknownName

TRAINING_PASSES = 3.0  # one forward and a backward twice as dear


@dataclass(frozen=True)
class ComputeModel(ABC):
    """FLOPs as a function of parameters and tokens; `proportional` if training FLOPs are 6 N D exactly."""

    name: ClassVar[str]
    counting: ClassVar[str]  # which parameters `parameter_count` must count
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
    counting: ClassVar[str] = "total"
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
    """Another model plus the output head, 2 × vocabulary × width per token forward, which Kaplan leaves out."""

    name: ClassVar[str] = "with-unembedding"
    counting: ClassVar[str] = "non_embedding"

    base: ComputeModel
    vocabulary_size: float
    model_width: float

    def inference_flops_per_token(self, parameter_count: Any) -> Any:
        head = 2.0 * self.vocabulary_size * self.model_width
        return self.base.inference_flops_per_token(parameter_count) + head


SIMPLE = Simple()
ACTIVE_EXPERTS = ActiveExperts()
_MODELS: tuple[type[ComputeModel], ...] = (
    Simple,
    ActiveExperts,
    ShapedAttention,
    AspectAttention,
    NonEmbeddingFlops,
    WithUnembedding,
)


def compute_model(name: str, **shape: Any) -> ComputeModel:
    """The compute model called `name`, with its shape (layer_count, context_length, …). Raises UnknownName."""
    known = {m.name: m for m in _MODELS}
    if name.lower() not in known:
        raise UnknownName("compute_model", name, known)
    return known[name.lower()](**shape)
