"""Pilot runs chosen by design: how well a fit of few of them extrapolates, and how good a decision they lead to.

First table: the public tasks of Spend Less, Fit Better (arXiv 2604.22753) under its protocol. Runs are bought in
sequence within a share of the cost of all training runs, per group; R² on the test rows of all groups together (several
targets: the mean), clipped at -1; mean and standard error over the seeds, mean over all forms of the catalogue that
read every feature of the task. A design knows where the test rows lie, not their losses. Beside it the published
column, and the same fit of all training runs.

Second table: the best size at ten times the largest compute of a real sweep, decided from a share of its cost. Every
seed may buy from a random 70 % of the runs. The truth is the law fitted to all of them; regret is the compute a wrong
size wastes. All designs are fitted in the same way.

A minute or two as it stands; --full takes about half an hour of CPU. Set OPENBLAS_NUM_THREADS=1.

    python benchmarks/experiment_design.py [--full] [--seeds 10] [--only parallel,marin]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from planner.design import Beliefs, Candidates, ComputeOptimal, Decision, LossAt, beliefs_after, design, stakes
from planner.fitting import Runs, fit_law
from planner.laws import Chinchilla, Form, form_class

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
STAGES = (0.25, 0.5, 0.75, 1.0)
ALL_SEEDS = 3  # of the fit of all runs
ROUNDING = 0.005  # published scores have two digits


def shared() -> Path:
    """Where the tables are."""
    return Path(os.environ.get("APPORTION_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data"


@dataclass(frozen=True)
class Task:
    """A table of the extrapolation benchmark: how its columns are read, and what was published."""

    name: str
    forms: tuple[str, ...]
    budgets: tuple[float, float, float]
    published: tuple[float, float, float]
    published_all: float


CHEAP, DEAR = (0.01, 0.05, 0.10), (0.20, 0.35, 0.50)
TASKS = (
    Task("data_constrained", ("data-constrained", "overfitting"), CHEAP, (0.73, 0.85, 0.86), 0.79),
    Task("domain_mixture", ("mixture-5", "mixture-power-5"), DEAR, (0.64, 0.89, 0.95), 0.81),
    Task("vocab", ("vocabulary-size", "vocabulary-curve"), CHEAP, (0.96, 0.98, 0.98), 0.93),
    Task("parallel", ("parallel-streams",), CHEAP, (-1.0, 0.77, 0.99), 0.99),
    Task("sparsity", ("expert-sparsity-at-fixed-data", "sparse-at-fixed-data"), DEAR, (0.31, 0.44, 0.53), 0.37),
)


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a task: variables (rows,), losses (rows, targets), costs, groups, and which are for training."""

    variables: Mapping[str, Array]
    losses: Array
    costs: Array
    groups: NDArray[np.str_]
    train: Mask


def rows_of(task: Task, form_name: str) -> Rows:
    """Read a task's table as a form needs it."""
    runs = Runs.read(shared() / "extrapolation" / f"{task.name}.csv")

    def c(name: str) -> Array:
        return runs.column(name).numbers

    losses: tuple[str, ...] = ("loss",)
    if task.name == "data_constrained":
        epochs = np.maximum(c("tokens") / c("unique_tokens"), 1.0)
        variables = {"parameter_count": c("params"), "token_count": c("tokens")}
        variables |= {"unique_token_count": c("unique_tokens"), "epoch_count": epochs}
        costs = 6.0 * c("params") * c("tokens")
    elif task.name == "domain_mixture":
        variables = {f"domain_share_{k}": c(f"proportion_domain_{k}") for k in range(1, 6)}
        losses = tuple(f"loss_domain_{k}" for k in range(1, 6))
        costs = np.ones(runs.row_count)
    elif task.name == "vocab":
        variables = {"parameter_count": c("non_vocab_parameters"), "vocabulary_size": c("vocab_size")}
        variables["character_count"] = c("num_characters")
        losses = ("unigram_normalized_loss",)
        costs = c("non_vocab_parameters") * c("num_characters")
    elif task.name == "parallel":
        variables = {"parameter_count": c("num_params"), "stream_count": c("parallel_size")}
        costs = c("num_params")
    else:  # P is total over active parameters; parameters in billions, all of them or those that are not zero
        variables = {"parameter_count": 1e9 * c("P") * c("N_active"), "active_expert_share": 1.0 / c("P")}
        if form_name == "sparse-at-fixed-data":
            variables = {"parameter_count": 1e9 * c("N_active"), "density": 1.0 / c("P")}
        costs = 6.0 * c("N_dense") * c("D1") + 6.0 * c("N_active") * c("D2")
    groups = runs.column("group").cells.astype(str)
    train = runs.column("split").cells.astype(str) == "train"
    return Rows(variables, np.stack([c(name) for name in losses], axis=1), costs, groups, train)


def predicted(beliefs: Sequence[Beliefs], aim: LossAt) -> Array:
    """(points, targets)."""
    return np.stack([b.predict(aim.points) for b in beliefs], axis=1)


def trajectory(
    form: type[Form], rows: Rows, group: str, budgets: Sequence[float], seed: int
) -> list[tuple[Array, int] | None]:
    """After each budget the predictions of the group's test rows and the runs bought; None if nothing can be bought."""
    mine = rows.groups == group
    pool, tested = mine & rows.train, mine & ~rows.train
    candidates = Candidates.of({k: v[pool] for k, v in rows.variables.items()}, rows.costs[pool])
    aim = LossAt({k: v[tested] for k, v in rows.variables.items()})
    losses, total = rows.losses[pool], float(rows.costs[pool].sum())
    bought, found = np.zeros(len(candidates), bool), list[tuple[Array, int] | None]()
    known: dict[bytes, Sequence[Beliefs]] = {}

    def believe(bought: Mask) -> Sequence[Beliefs]:
        if bought.tobytes() not in known:
            known.clear()
            seen = candidates.take(bought).variables
            known[bought.tobytes()] = beliefs_after(form, seen, losses[bought], candidates, aim, seed=seed)
        return known[bought.tobytes()]

    for share in budgets:
        buy(bought, candidates, share * total, aim, believe)
        found.append((predicted(believe(bought), aim), int(bought.sum())) if bought.any() else None)
    return found


def buy(
    bought: Mask,
    candidates: Candidates,
    budget: float,
    decision: Decision,
    believe: Callable[[Mask], Sequence[Beliefs]],
    choose: Callable[[Sequence[Beliefs], Candidates, float], NDArray[np.intp]] | None = None,
) -> None:
    """Spend up to `budget` in stages, cheaper runs of each plan first, planning anew with their losses; in place."""
    start = float(candidates.costs[bought].sum())
    for stage in STAGES:
        spent = float(candidates.costs[bought].sum())
        rest = np.flatnonzero(~bought)
        if not len(rest) or budget - spent < candidates.costs[rest].min():
            return
        left, beliefs = candidates.take(rest), believe(bought)
        if choose is None:
            chosen = rest[design(beliefs, left, budget - spent, decision, certify=False).chosen]
        else:
            chosen = rest[choose(beliefs, left, budget - spent)]
        if stage < 1.0:
            chosen = chosen[np.argsort(candidates.costs[chosen], kind="stable")]
            within = np.cumsum(candidates.costs[chosen]) <= start + (budget - start) * stage - spent
            chosen = chosen[: max(1, int(within.sum()))]
        bought[chosen] = True


def score(truth: Array, guess: Array) -> float:
    """R², clipped at -1, mean over the targets."""
    unexplained = ((truth - guess) ** 2).sum(axis=0) / ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
    return float(np.maximum(1.0 - unexplained, -1.0).mean())


def extrapolation(task: Task, seeds: int) -> None:
    """Print the rows of one task."""
    whole, everything = [], []
    for form_name in task.forms:
        started, form, rows = time.process_time(), form_class(form_name), rows_of(task, form_name)
        names = list(dict.fromkeys(rows.groups.tolist()))
        truth = np.concatenate([rows.losses[(rows.groups == g) & ~rows.train] for g in names])
        scores, counts = np.zeros((seeds, len(task.budgets))), np.zeros((seeds, len(task.budgets)))
        for seed in range(seeds):
            paths = [trajectory(form, rows, g, task.budgets, seed) for g in names]
            for k, at in enumerate(zip(*paths, strict=True)):
                groups = [a for a in at if a is not None]
                counts[seed, k] = sum(count for _, count in groups)
                complete = len(groups) == len(names)
                scores[seed, k] = score(truth, np.concatenate([guess for guess, _ in groups])) if complete else -1.0
        whole.append(scores)
        full = [trajectory(form, rows, g, (1.0,), seed) for seed in range(ALL_SEEDS) for g in names]
        guesses = [a[0] for (a,) in full if a is not None]
        parts = [np.concatenate(guesses[k : k + len(names)]) for k in range(0, len(guesses), len(names))]
        everything.append([score(truth, part) for part in parts])
        line(form_name, scores, everything[-1])
        print(f"{'':34}runs {counts.mean(axis=0).round(1)}, {time.process_time() - started:.0f} CPU s", flush=True)
    share = " / ".join(f"{100 * b:g} %" for b in task.budgets)
    mean, limit = np.mean(whole, axis=0), np.mean(everything, axis=0)
    line(f"{task.name} ({share})", mean, limit)
    error = np.hypot(standard_error(mean), standard_error(limit[:, None]))
    enough = np.flatnonzero(mean.mean(axis=0) >= limit.mean() - np.maximum(error, ROUNDING))
    reached = f"at {100 * task.budgets[enough[0]]:g} % of the cost" if len(enough) else "not within these budgets"
    print(f"{'   published':<34}" + " / ".join(f"{x:6.3f}" for x in task.published), end="")
    print(f"{'':29}all runs {task.published_all:6.3f}; ours: fit of all runs {reached}", flush=True)


def standard_error(values: Array) -> Array:
    """Over the first axis."""
    return np.asarray(np.std(values, axis=0, ddof=1) / np.sqrt(len(values)))


def line(name: str, scores: Array, everything: Sequence[float]) -> None:
    """One row of the first table from scores (seeds, budgets)."""
    cells = " / ".join(f"{x:6.3f}" for x in scores.mean(axis=0))
    wide = " / ".join(f"{x:.3f}" for x in standard_error(scores))
    print(f"{name:<34}{cells}  ± {wide}   all runs {np.mean(everything):6.3f}", flush=True)


SWEEPS = ("chinchilla_epoch", "llama3_isoflop", "marin_isoflop")
SHARES = (0.02, 0.05, 0.15)
FARTHER = 10.0
DESIGNS = ("regret", "isoflop", "d-optimal", "random")


def sweeps(name: str) -> dict[str, tuple[Array, Array, Array, Array]]:
    """Corpus -> (N, D, loss, FLOPs) of a sweep's runs."""
    runs = Runs.read(shared() / "runs" / f"{name}.csv")
    losses = runs.column("loss_plotted" if name == "llama3_isoflop" else "loss").numbers
    columns = (runs.column("N").numbers, runs.column("D").numbers, losses, runs.column("C").numbers)
    labels = np.full(runs.row_count, "all")
    if name == "chinchilla_epoch":
        labels = np.where(runs.column("in_fit_240").numbers == 1, "all", "")
    elif name == "marin_isoflop":
        labels = runs.column("corpus").cells.astype(str)
    return {str(g): tuple(c[labels == g] for c in columns) for g in np.unique(labels) if g}


def isoflop(candidates: Candidates, budget: float) -> NDArray[np.intp]:
    """Levels of compute from the cheapest to the dearest that can be paid, six sizes spread over each."""
    level = np.round(np.log2(candidates.costs))
    levels = [b for b in (np.flatnonzero(level == x) for x in np.unique(level)) if len(b) >= 4]
    sizes = candidates.variables["parameter_count"]
    for top in range(len(levels) - 1, 0, -1):
        for count in (5, 4, 3, 2):
            picked: list[int] = []
            for k in np.unique(np.round(np.linspace(0, top, count)).astype(int)):
                ordered = levels[k][np.argsort(sizes[levels[k]])]
                picked += ordered[np.unique(np.round(np.linspace(0, len(ordered) - 1, 6)).astype(int))].tolist()
            if candidates.costs[picked].sum() <= budget:
                return np.array(picked)
    return at_random(candidates, budget, np.argsort(candidates.costs))


def at_random(candidates: Candidates, budget: float, order: NDArray[np.intp]) -> NDArray[np.intp]:
    """The runs in this order, whatever can still be paid."""
    chosen, spent = [], 0.0
    for k in order:
        if spent + candidates.costs[k] <= budget:
            chosen.append(k)
            spent += candidates.costs[k]
    return np.array(chosen)


def d_optimal(decision: Decision) -> Callable[[Sequence[Beliefs], Candidates, float], NDArray[np.intp]]:
    """Greedy by the determinant of the information (over the root of the cost, the better of the usual rules)."""

    def choose(beliefs: Sequence[Beliefs], candidates: Candidates, budget: float) -> NDArray[np.intp]:
        criterion = stakes(beliefs[0], candidates, decision)
        information, chosen, spent = criterion.precision.copy(), np.zeros(len(candidates), bool), 0.0
        while True:
            usable = ~chosen & (spent + candidates.costs <= budget)
            if not usable.any():
                return np.flatnonzero(chosen)
            spread = np.einsum("dck,dkl,dcl->dc", criterion.runs, np.linalg.inv(information), criterion.runs)
            gain = np.log1p(np.maximum(spread, 0.0)).mean(axis=0) / np.sqrt(candidates.costs)
            k = int(np.argmax(np.where(usable, gain, -np.inf)))
            chosen[k], spent = True, spent + candidates.costs[k]
            information += criterion.runs[:, k, :, None] * criterion.runs[:, k, None, :]

    return choose


def decided(
    kind: str, candidates: Candidates, losses: Array, budget: float, decision: ComputeOptimal, seed: int
) -> float:
    """Log of the parameter count that this design leads to."""

    def believe(bought: Mask) -> Sequence[Beliefs]:
        seen = candidates.take(bought).variables
        return beliefs_after(Chinchilla, seen, losses[bought], candidates, decision, seed=seed)

    bought = np.zeros(len(candidates), bool)
    if kind == "isoflop":
        bought[isoflop(candidates, budget)] = True
    elif kind == "random":
        bought[at_random(candidates, budget, np.random.default_rng(seed).permutation(len(candidates)))] = True
    else:
        buy(bought, candidates, budget, decision, believe, d_optimal(decision) if kind == "d-optimal" else None)
    (found,) = believe(bought)
    clouds = Chinchilla.from_vector(found.problem(decision.points(np.zeros(1))).vectors(found.draws))
    return float(np.median(decision.best(clouds)))


def decisions(name: str, seeds: int) -> Array:
    """Print the rows of one sweep and return its last: compute wasted by each design (designs, seeds), the mean over
    shares and corpora."""
    wasted = np.zeros((len(DESIGNS), len(SHARES), len(corpora := sweeps(name)), seeds))
    for c, (n, d, losses, flops) in enumerate(corpora.values()):
        truth = fit_law(Runs.from_columns({"N": n, "D": d, "loss": losses}), "chinchilla", bootstrap=0).form
        decision = ComputeOptimal(FARTHER * float(flops.max()))
        for seed in range(seeds):
            kept = np.random.default_rng(100 + seed).random(len(n)) < 0.7
            candidates = Candidates.of({"parameter_count": n[kept], "token_count": d[kept]}, flops[kept])
            for k, kind in enumerate(DESIGNS):
                for s, share in enumerate(SHARES):
                    size = decided(kind, candidates, losses[kept], share * float(flops[kept].sum()), decision, seed)
                    wasted[k, s, c, seed] = decision.regret(truth, size)[1]
    for s, share in enumerate(SHARES):
        row(name, f"{100 * share:g} % of the cost", wasted[:, s].mean(axis=1))
    whole = np.asarray(wasted.mean(axis=(1, 2)))
    row(name, "all", whole)
    return whole


def row(name: str, label: str, wasted: Array) -> None:
    """One row of the second table from shares of compute (designs, seeds)."""
    cells = zip(wasted.mean(axis=1), standard_error(wasted.T), strict=True)
    print(f"{name:<20}{label:<18}" + "".join(f"{100 * m:9.2f} ± {100 * e:4.2f}" for m, e in cells), flush=True)


def main() -> None:
    """Both tables, or those asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--full", action="store_true", help="all seeds, sweeps and tasks, not two seeds of the quick ones"
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", default="", help="tasks and sweeps by the start of their names, as a,b")
    given = parser.parse_args()
    if not (shared() / "extrapolation").is_dir():
        print(f"skipped: {shared()} holds no tables (set APPORTION_SHARED)")
        return
    seeds = given.seeds if given.full or given.only else 2
    wanted = tuple(given.only.split(",")) if given.only else ("",) if given.full else ("parallel", "chinchilla")
    print(f"R² after buying shares of the cost, mean ± standard error over {seeds} seeds")
    for task in TASKS:
        if task.name.startswith(wanted):
            extrapolation(task, seeds)
    print(f"\n% of compute wasted by the size decided for {FARTHER:g} times the largest, over {seeds} seeds")
    print(f"{'':<38}" + "".join(f"{kind:>16}" for kind in DESIGNS))
    found = [decisions(name, seeds) for name in SWEEPS if name.startswith(wanted)]
    if len(found) > 1:
        row("every sweep", "all", np.mean(found, axis=0))


if __name__ == "__main__":
    main()
