"""Where the loss of a plan comes from, and what to fix first.

Rosenfeld (thesis, 2108.07686) divides an error into what the model is too small for, what the data are too few for,
what the optimiser fails to find, and what nothing removes. A law has the first, second and last as terms; the third
shows where runs of the same size differ: how far the best of the runs behind the law lie below it. What to fix first
is asked in one currency, the cost of training: what one per cent more of it gains when it buys parameters alone, or
tokens alone, and what unique tokens are worth in it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from planner.allocation.decide import Decided
from planner.laws import Form, Law

STEP = 1e-4  # in logarithms, of numeric derivatives
PER_CENT = 0.01
BEST_SHARE = 0.9  # of the runs lie above those called best
FEWEST_RUNS = 20
MODEL, DATA, FLOOR = TERMS = ("model", "data", "floor")
DEFICIENCY = "learning_deficiency_at_most"
NYQUIST = "hypothetical.nyquist_loss"
ELASTICITY = "elasticity."  # d log loss / d log of a variable, the others held
PER_CENT_SPENT = "per_percent_of_training_cost."  # change of the loss
PER_USD = "per_usd."  # change of the loss, at the price of training
WORTH = "worth_in_training_cost."  # d log cost / d log of a variable, at equal loss
WORTH_USD = "worth_usd_per_percent."


def diagnosis(answer: Decided) -> dict[str, float]:
    """What is known of the plan's loss, by name; losses in the law's unit.

    `model`, `data`, `floor` add up to the loss (absent where the form has no such terms). Names that begin with
    `elasticity.` and the like end with the variable they are about. `hypothetical.nyquist_loss` is a scenario, not a
    forecast.
    """
    law = answer.model.loss.law
    variant, _, _ = answer.model.product.parts(answer.cell)
    at = {name: float(value) for name, value in answer.model.loss.at(answer.values, variant).items()}
    loss = answer.metrics["loss"]
    found: dict[str, float] = {}
    terms = law.form.loss_terms(**at)
    if terms is not None:
        found |= {MODEL: float(terms.model), DATA: float(terms.data), FLOOR: float(terms.floor)}
        if type(law.form).outer is Form.outer:  # else the terms are shares, and do not go one by one
            found[NYQUIST] = loss - found[DATA]
    if (deficiency := learning_deficiency(law, loss)) is not None:
        found[DEFICIENCY] = deficiency
    if loss > 0.0:
        found |= _what_to_fix(answer, law, at, loss)
    return found


def learning_deficiency(law: Law, loss: float) -> float | None:
    """How far the best tenth of the runs behind a fitted law lie below it, at this loss; None where that is not known.

    What better training may still gain, at most: the noise of single runs is in it too.
    """
    if law.residuals is None or len(law.residuals) < FEWEST_RUNS or law.form.signed():
        return None
    return loss * -float(np.expm1(-max(float(np.quantile(law.residuals, BEST_SHARE)), 0.0)))


def _what_to_fix(answer: Decided, law: Law, at: Mapping[str, float], loss: float) -> dict[str, float]:
    asked = [name for name in at if name in answer.values]
    if at.get("unique_token_count", np.inf) < at.get("token_count", 0.0) * (1.0 - STEP):  # data is repeated
        asked.append("unique_token_count")
    gains = {name: _elasticity(law, at, name) for name in asked}
    found = {f"{ELASTICITY}{name}": gain for name, gain in gains.items()}
    costs = {name: _cost_elasticity(answer, name) for name in gains if name in answer.values}
    rates = {name: gains[name] / cost for name, cost in costs.items() if cost > 0.0}
    price = answer.metrics.get("training_usd")
    for name, rate in rates.items():
        found[f"{PER_CENT_SPENT}{name}"] = PER_CENT * rate * loss
        if price:
            found[f"{PER_USD}{name}"] = rate * loss / price
    best = min(rates.values(), default=0.0)
    for name in gains.keys() - costs.keys():
        if best < 0.0:
            found[f"{WORTH}{name}"] = gains[name] / best
            if price:
                found[f"{WORTH_USD}{name}"] = PER_CENT * price * gains[name] / best
    return {name: value for name, value in found.items() if np.isfinite(value)}


def _elasticity(law: Law, at: Mapping[str, float], name: str) -> float:
    """d log loss / d log of one of the law's variables, the others held."""
    up, down = (float(law.loss(**{**at, name: at[name] * np.exp(step)})) for step in (STEP, -STEP))
    return float((np.log(up) - np.log(down)) / (2.0 * STEP)) if up > 0.0 and down > 0.0 else float("nan")


def _cost_elasticity(answer: Decided, name: str) -> float:
    """d log training FLOPs / d log of a variable; 0 where the model knows no such cost."""
    if "training_flops" not in answer.model.metrics:
        return 0.0
    cost = answer.model.metrics["training_flops"].cell(answer.cell)
    up, down = (
        float(cost.at({**answer.values, name: answer.values[name] * float(np.exp(step))})) for step in (STEP, -STEP)
    )
    return float((np.log(up) - np.log(down)) / (2.0 * STEP))
