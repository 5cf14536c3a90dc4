"""The short names of request fields, written once for Python keywords, command-line flags and YAML keys.

A request is a nested message; people think of it as a flat list of wishes. `Field("max_tpot_seconds",
"workload.max_tpot_seconds", …)` says that the wish `max_tpot_seconds` fills that place in the message. The
fields' own names in the contract are always understood too, so only what differs, or what should be a flag,
is listed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.message import Message

from apportion.v1 import hardware_service_pb2 as hardware_service
from apportion.v1 import laws_service_pb2 as laws_service
from apportion.v1 import planning_service_pb2 as planning


@dataclass(frozen=True)
class Field:
    """A short name (`name`, as a flag `--na-me`), the place it fills, and what it means."""

    name: str
    path: str
    meaning: str


@dataclass(frozen=True)
class Kind:
    """A kind of request: its message, its short names, and the nested messages it is made of."""

    title: str
    message: type[Message]
    fields: tuple[Field, ...]


_LAW = Field("law", "law", "the scaling law to plan with")
_LIMITS = (
    Field("max_loss", "max_loss", "reach this loss at the least cost"),
    Field(
        "as_good_as",
        "as_good_as_parameter_count",
        "reach the loss of the compute-optimal model of this many parameters",
    ),
    Field("unique_tokens", "unique_token_count", "distinct training tokens there are"),
    Field("experts", "expert_counts", "experts a layer to choose from (repeat or a,b,c)"),
    Field("law_variable", "law_variables", "what else the law knows: name=value, name=a,b or name=low..high (repeat)"),
)
_ANSWER = (
    Field("limit", "limits", "upper bound on a metric, as metric=value (repeat)"),
    Field("minimize", "minimize", "the metric to minimise"),
    Field("alternatives", "alternative_count", "runners-up wanted"),
    Field("explain", "explain", "put the plan in sentences too"),
    Field("plan_id", "plan_id", "store the plan under this name"),
)


def _hardware(place: str, prefix: str = "", use: str = "") -> tuple[Field, ...]:
    return (
        Field(f"{prefix}accelerator", f"{place}.accelerators", f"accelerator to choose from{use} (repeat)"),
        Field(f"{prefix}precision", f"{place}.precisions", f"number format to choose from{use} (repeat)"),
        Field(f"{prefix}price_term", f"{place}.price_term", f"which offers to price with{use}: on-demand, spot, …"),
        Field(
            f"{prefix}price_usd_per_hour",
            f"{place}.price_usd_per_hour",
            f"your own price{use}, as accelerator=USD (repeat)",
        ),
        Field(f"{prefix}grid_zone", f"{place}.grid_zone", f"country (FR, FRA) or cloud region of the electricity{use}"),
        Field(f"{prefix}calibration", f"{place}.calibration", f"your own stack's constants of serving{use}"),
        Field(f"{prefix}price_book", f"{place}.price_book", f"your own offers{use}"),
        Field(f"{prefix}max_accelerators", f"{place}.max_accelerator_count", f"at most this many{use}"),
    )


_WORKLOAD = (
    Field("requests_per_second", "workload.requests_per_second", "mean request rate"),
    Field("input_tokens", "workload.input_token_count", "tokens in a prompt"),
    Field("output_tokens", "workload.output_token_count", "tokens in an answer"),
    Field("max_tpot_seconds", "workload.max_tpot_seconds", "limit on the time per output token"),
    Field("max_ttft_seconds", "workload.max_ttft_seconds", "limit on the time to first token"),
    Field("latency_percentile", "workload.latency_percentile", "percentile the latency limits hold at"),
    Field("prefix_hit_share", "workload.prefix_hit_share", "share of prompt tokens in a prefix cache (deployment)"),
    Field("draft_tokens", "workload.draft_token_count", "tokens drafted a step (deployment)"),
    Field("acceptance_rate", "workload.acceptance_rate", "probability that a drafted token is accepted"),
    Field("draft_step_share", "workload.draft_step_share", "time of a draft over that of a step"),
)

TRAINING = Kind(
    "training",
    planning.PlanTrainingRequest,
    (
        _LAW,
        Field("training_flops", "training_flops", "limit on training compute"),
        Field("budget_usd", "budget_usd", "limit on the money spent on training"),
        Field("accelerator_hours", "accelerator_hours", "limit on accelerator-hours"),
        Field("deadline_hours", "deadline_hours", "limit on the wall-clock time of training"),
        *_LIMITS,
        *_hardware("hardware"),
        *_ANSWER,
    ),
)
DEPLOYMENT = Kind(
    "deployment",
    planning.PlanDeploymentRequest,
    (
        Field("model", "model", "a known model, by name"),
        Field("parameter_count", "parameter_count", "active parameters of a model that does not exist yet"),
        Field("experts", "expert_count", "its experts a layer"),
        *_WORKLOAD,
        *_hardware("hardware"),
        *_ANSWER,
    ),
)
LIFECYCLE = Kind(
    "lifecycle",
    planning.PlanLifecycleRequest,
    (
        _LAW,
        Field("inference_tokens", "inference_token_count", "tokens served over the life of the model"),
        Field("lifetime_flops", "lifetime_flops", "limit on training and serving compute together"),
        Field("training_flops", "training_flops", "limit on training compute"),
        Field("budget_usd", "budget_usd", "limit on the money spent on training and serving together"),
        Field("deadline_hours", "deadline_hours", "limit on the wall-clock time of training"),
        *_LIMITS,
        *_WORKLOAD,
        *_hardware("training_hardware"),
        *_hardware("serving_hardware", "serving_", " for serving; as for training when unset"),
        *_ANSWER,
    ),
)
FRONT = Kind(
    "front",
    planning.ComputeFrontRequest,
    (
        Field("objectives", "objectives", "two to four metrics, as a,b,c"),
        Field("points", "point_count", "points wanted"),
        *(
            Field(field.name, f"problem.{field.path}", field.meaning)
            for field in LIFECYCLE.fields
            if field not in _ANSWER or field.name == "limit"
        ),
    ),
)
EXPERIMENT = Kind(
    "experiment",
    laws_service.DesignExperimentRequest,
    (
        Field("budget_flops", "budget_flops", "what the pilot runs may cost together"),
        Field("target_flops", "target_flops", "decide the best size at this training compute"),
        Field("form", "form", "the form to pin down; chinchilla unless said"),
        Field("law", "law", "a law believed to be near the truth"),
        Field("seed", "seed", "seed of the draws"),
    ),
)
ACCELERATOR = Kind(
    "accelerator",
    hardware_service.CreateAcceleratorRequest,
    (
        Field("peak_flops", "accelerator.peak_flops_per_second", "dense peak, as precision=FLOP/s (repeat)"),
        Field("memory_bytes", "accelerator.memory_bytes", "memory"),
        Field("memory_bytes_per_second", "accelerator.memory_bytes_per_second", "memory bandwidth"),
        Field("scaleup_bytes_per_second", "accelerator.scaleup_bytes_per_second", "links inside a domain, one way"),
        Field("scaleup_domain", "accelerator.scaleup_domain_count", "accelerators in one domain"),
        Field("scaleup_link", "accelerator.scaleup_link", "what links them: switch, mesh, torus, pcie, none"),
        Field("scaleout_bytes_per_second", "accelerator.scaleout_bytes_per_second", "links between domains, one way"),
        Field("tdp_watts", "accelerator.tdp_watts", "thermal design power"),
        Field("dies", "accelerator.die_count", "devices in one package"),
        Field("vendor", "accelerator.vendor", "who makes it"),
        Field("release_date", "accelerator.release_date", "when it came out, YYYY-MM"),
        Field("source", "accelerator.source", "where the figures come from"),
        Field("doubt", "accelerator.doubt", "what is uncertain about them"),
    ),
)
MODEL_SHAPE = Kind(
    "model",
    hardware_service.CreateModelShapeRequest,
    (
        Field("layers", "model_shape.layer_count", "transformer layers"),
        Field("hidden_size", "model_shape.hidden_size", "width of the residual stream"),
        Field("heads", "model_shape.head_count", "query heads"),
        Field("key_value_heads", "model_shape.key_value_head_count", "key-value heads"),
        Field("intermediate_size", "model_shape.intermediate_size", "width of the feed-forward block, or of an expert"),
        Field("vocabulary_size", "model_shape.vocabulary_size", "tokens in the vocabulary"),
        Field("experts", "model_shape.expert_count", "experts a layer"),
        Field("experts_per_token", "model_shape.experts_per_token_count", "experts that a token visits"),
        Field("tied_embeddings", "model_shape.tied_embeddings", "the output projection is the embedding"),
    ),
)
CALIBRATION = Kind(
    "calibration",
    hardware_service.CalibrateRequest,
    (
        Field("accelerator", "accelerator", "the accelerator of all measurements, whatever the files say"),
        Field("model", "model", "the model, likewise"),
        Field("precision", "precision", "the weight format, likewise"),
        Field("engine", "engine", "the engine, likewise: vllm, sglang, trtllm"),
        Field("tensor_parallel", "tensor_parallel", "tensor-parallel ways, likewise"),
        Field("pipeline_parallel", "pipeline_parallel", "pipeline stages, likewise"),
        Field("expert_parallel", "expert_parallel", "ways that experts are spread over, likewise"),
        Field("accelerator_count", "accelerator_count", "accelerators in all, likewise"),
    ),
)
PLANS: Mapping[str, Kind] = {kind.title: kind for kind in (TRAINING, DEPLOYMENT, LIFECYCLE)}
