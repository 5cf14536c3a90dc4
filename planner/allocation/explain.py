"""A plan in sentences: what to do, what it costs, how sure we are, what binds, what was close."""

from __future__ import annotations

from planner.allocation.diagnosis import (
    DATA,
    DEFICIENCY,
    FLOOR,
    MODEL,
    NYQUIST,
    PER_CENT_SPENT,
    TERMS,
    WORTH,
    WORTH_USD,
)
from planner.allocation.plan import Kind, Outcome, Plan
from planner.laws.law import LOSS

BALANCED = 1.05  # gains that differ by less are called equal

_UNITS = {
    "training_flops": "FLOP",
    "lifetime_flops": "FLOP",
    "training_usd": "USD",
    "serving_usd": "USD",
    "lifetime_usd": "USD",
    "training_hours": "hours",
    "accelerator_hours": "accelerator-hours",
    "tpot_seconds": "seconds per output token",
    "ttft_seconds": "seconds to the first token",
    "usd_per_million_tokens": "USD per million output tokens",
    "joules_per_token": "joules per output token",
    "loss": "nats per token",
}


def explain(plan: Plan) -> str:
    """Some sentences, one a line."""
    if plan.outcome is Outcome.INFEASIBLE:
        lines = ["No plan meets the limits."] + [c.message[0].upper() + c.message[1:] + "." for c in plan.conflicts]
        if plan.relaxation:
            r = plan.relaxation[0]
            least = f"{r.smallest_feasible_limit:.4g}"
            lines.append(f"The smallest step: let {r.metric} rise from {r.limit:.4g} to {least}.")
        return "\n".join(lines)
    lines = [_what(plan), _proof(plan)]
    for name in ("loss", "training_usd", "lifetime_usd", "usd_per_million_tokens", "tpot_seconds"):
        if name in plan.metrics:
            m = plan.metrics[name]
            interval = f"{m.level:.0%} interval {m.lower:.4g} to {m.upper:.4g}"
            lines.append(f"{name}: {m.value:.4g} {_unit(plan, name)} ({interval}).")
    for b in plan.binding:
        effect = abs(b.elasticity)
        lines.append(f"{b.metric} binds: 1 % more of it lowers {plan.objective} by {effect:.3g} %.")
    lines += _sources(plan)
    if plan.alternatives:
        lines.append(f"The runner-up lost: {plan.alternatives[0].why_not}.")
    lines += [f"Take care ({w.code}): {w.sentence}." for w in plan.warnings]
    return "\n".join(lines)


def _sources(plan: Plan) -> list[str]:
    """Where the loss comes from, what to fix first, what unique tokens are worth, and what is hypothetical."""
    found, lines = plan.diagnosis, []
    if set(TERMS) <= found.keys():
        lines.append(
            f"Of the loss, {found[FLOOR]:.4g} is the floor, {found[MODEL]:.3g} the model term and {found[DATA]:.3g} "
            "the data term."
        )
    gains = {k.removeprefix(PER_CENT_SPENT): -v for k, v in found.items() if k.startswith(PER_CENT_SPENT)}
    if len(gains) > 1:
        first = max(gains, key=lambda name: gains[name])
        least = min(gains.values())
        if gains[first] > BALANCED * least:
            lines.append(
                f"Fix first: 1 % more training cost lowers the loss by {gains[first]:.2g} if it buys {_words(first)} "
                f"alone, by {least:.2g} otherwise."
            )
        else:
            names = " and ".join(_words(name) for name in gains)
            lines.append(f"{names[0].upper()}{names[1:]} are in balance: what one gains per cost, the other gains.")
    for name, worth in ((k.removeprefix(WORTH), v) for k, v in found.items() if k.startswith(WORTH)):
        dollars = found.get(f"{WORTH_USD}{name}")
        price = "" if dollars is None else f" ({dollars:,.0f} USD)"
        lines.append(f"1 % more {_words(name)} is worth {worth:.2g} % more training cost{price}.")
    if DEFICIENCY in found:
        lines.append(
            f"The best tenth of the runs behind the law lie {found[DEFICIENCY]:.2g} below it: what better training may "
            "still gain, at most."
        )
    if NYQUIST in found:
        lines.append(
            "Hypothetical (Rosenfeld's Nyquist conjecture): were these tokens all that the data hold, the loss would "
            f"be {found[NYQUIST]:.4g}."
        )
    return lines


def _unit(plan: Plan, name: str) -> str:
    """In words; of the loss what the law's value is, where that is no loss in nats per token."""
    metric = plan.provenance.get("law.metric", LOSS)
    return f"of {metric}" if name == "loss" and metric != LOSS else _UNITS[name]


def _words(name: str) -> str:
    """`unique_token_count` as "unique tokens"."""
    return name.removesuffix("_count").replace("_", " ") + ("s" if name.endswith("_count") else "")


def _what(plan: Plan) -> str:
    d = plan.decision
    if plan.kind is Kind.DEPLOYMENT:
        name = d.model or f"the model of {d.parameter_count or 0:.4g} parameters"
        return (
            f"Serve {name} on {d.accelerator_count} x {d.accelerator} in {d.precision}: {d.replica_count} replicas, "
            f"tensor parallel {d.tensor_parallel}, up to {d.batch_size} sequences each."
        )
    model = "a model" if d.parameter_count is None else f"{d.parameter_count:.4g} parameters"
    text = f"Train {model}" + ("" if d.token_count is None else f" on {d.token_count:.4g} tokens")
    if d.epoch_count and d.epoch_count > 1:
        text += f" ({d.epoch_count:.3g} epochs)"
    if d.expert_count:
        text += f" with {d.expert_count} experts a layer"
    if d.law_variables:
        text += " with " + ", ".join(f"{name} {value:.4g}" for name, value in d.law_variables.items())
    if d.accelerator:
        text += f" on {d.accelerator_count} x {d.accelerator} in {d.precision}"
    if d.serving_accelerator:
        text += f", and serve it on {d.serving_accelerator_count} x {d.serving_accelerator} in {d.serving_precision}"
    return text + "."


def _proof(plan: Plan) -> str:
    c = plan.certificate
    if c is None or plan.outcome is not Outcome.OPTIMAL:
        return f"This is {plan.outcome.value}."
    return f"No other plan is better by more than {c.relative_gap:.2g} in {plan.objective} ({c.method})."
