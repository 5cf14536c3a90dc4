"""A plan in sentences: what to do, what it costs, how sure we are, what binds, what was close."""

from __future__ import annotations

from planner.allocation.plan import Kind, Outcome, Plan

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
    """Five to ten sentences, one a line."""
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
            lines.append(f"{name}: {m.value:.4g} {_UNITS[name]} ({interval}).")
    for b in plan.binding:
        effect = abs(b.elasticity)
        lines.append(f"{b.metric} binds: 1 % more of it lowers {plan.objective} by {effect:.3g} %.")
    if plan.diagnosis:
        fixable = {k: v for k, v in plan.diagnosis.items() if k != "floor"}
        worst = max(fixable, key=lambda k: fixable[k])
        floor = plan.diagnosis["floor"]
        lines.append(f"Of the loss, {floor:.3g} is the floor; the {worst} term is the larger of the rest.")
    if plan.alternatives:
        lines.append(f"The runner-up lost: {plan.alternatives[0].why_not}.")
    lines += [f"Take care ({w.code}): {w.sentence}." for w in plan.warnings]
    return "\n".join(lines)


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
