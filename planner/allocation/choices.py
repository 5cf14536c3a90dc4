"""What may be used, and what is served: the parts that questions about hardware share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from planner.allocation.metrics import SECONDS
from planner.errors import Range, Violation
from planner.hardware import SHIPPED, Catalogue

RATE = Range(1e-6, 1e7, "requests per second")
LENGTH = Range(1, 1e7, "tokens")
HIT_SHARE = Range(0.0, 0.999, "share of a prompt")
DRAFTS = Range(0, 64, "tokens")
SHARE = Range(0.0, 1.0, "")
PERCENTILE = Range(50, 99.9, "percent")
PRICE = Range(1e-4, 1e4, "USD per accelerator-hour")
COUNT = Range(1, 1e7, "accelerators")


@dataclass(frozen=True)
class HardwareChoice:
    """What may be used, at what price and on whose electricity; empty means everything that fits and has a price.

    `grid_zone` is a country (`FR`, `FRA`) or a cloud region; the world's mean if empty. `catalogue`: where names,
    offers and the constants of serving come from, the caller's own among them.
    """

    accelerators: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ()
    max_accelerator_count: int | None = None
    price_term: str = "on-demand"
    price_usd_per_hour: Mapping[str, float] = field(default_factory=dict)
    grid_zone: str = ""
    catalogue: Catalogue = SHIPPED

    def violations(self, prefix: str) -> tuple[Violation, ...]:
        found = [
            v
            for name, price in self.price_usd_per_hour.items()
            for v in PRICE.check(f"{prefix}.price_usd_per_hour[{name}]", price)
        ]
        if self.max_accelerator_count is not None:
            found += COUNT.check(f"{prefix}.max_accelerator_count", self.max_accelerator_count)
        return tuple(found)


@dataclass(frozen=True)
class Workload:
    """What is served. Latency limits hold at `latency_percentile`.

    Of prompts the share `prefix_hit_share` is found in a cache; `draft_token_count` tokens are drafted a step, each
    accepted with probability `acceptance_rate`, by a model that takes `draft_step_share` of a step (one layer's share
    if unset).
    """

    requests_per_second: float
    input_token_count: float
    output_token_count: float
    max_tpot_seconds: float | None = None
    max_ttft_seconds: float | None = None
    latency_percentile: float = 99.0
    prefix_hit_share: float = 0.0
    draft_token_count: int = 0
    acceptance_rate: float | None = None
    draft_step_share: float | None = None

    def violations(self, prefix: str) -> tuple[Violation, ...]:
        found = [
            *RATE.check(f"{prefix}.requests_per_second", self.requests_per_second),
            *LENGTH.check(f"{prefix}.input_token_count", self.input_token_count),
            *LENGTH.check(f"{prefix}.output_token_count", self.output_token_count),
            *PERCENTILE.check(f"{prefix}.latency_percentile", self.latency_percentile),
            *HIT_SHARE.check(f"{prefix}.prefix_hit_share", self.prefix_hit_share),
            *DRAFTS.check(f"{prefix}.draft_token_count", self.draft_token_count),
        ]
        if self.draft_token_count and self.acceptance_rate is None:
            found.append(Violation(f"{prefix}.acceptance_rate", "unset", "needed beside draft_token_count"))
        for name in ("acceptance_rate", "draft_step_share"):
            share = getattr(self, name)
            if share is not None:
                found += SHARE.check(f"{prefix}.{name}", share)
        for name in ("max_tpot_seconds", "max_ttft_seconds"):
            limit = getattr(self, name)
            if limit is not None:
                found += SECONDS.check(f"{prefix}.{name}", limit)
        return tuple(found)
