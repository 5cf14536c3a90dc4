"""Published laws against losses, optima and ratios computed independently from the papers' coefficients."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planner.fitting import Runs
from planner.laws import Form, form_class, law
from planner.laws.coverage import observed_coverage


def value(name: str, **variables: float) -> float:
    return float(law(name).loss(**variables))


def form(name: str) -> Any:
    return law(name).form


VALUES = [
    ("jones-2021-elo", {"training_flops": 1e12, "board_size": 9.0}, 510 * 12 - 430 * 9 - 4400, 1e-9),
    ("jones-2021-elo", {"training_flops": 1e30, "board_size": 9.0}, -270 * 9 + 570, 1e-9),
    ("xiong-2023-7b", {"context_length": 32768.0}, (25.4 / 32768.0) ** 0.45 + 1.56, 1e-9),
    ("henighan-2020-video-compute", {"training_flops": 8.64e19}, 0.95 + 2.2e-5**0.14, 1e-9),
    ("henighan-2020-language-optimum", {"training_flops": 8.64e19}, (1 / 3.3e-13) ** 0.73, 1e3),
    (
        "hernandez-2021-text",
        {"finetuning_token_count": 1e6, "parameter_count": 1e8},
        1.9e4 * 1e6**0.18 * 1e8**0.38,
        1e-3,
    ),
]


@pytest.mark.parametrize(
    ("name", "at", "expected", "within"), VALUES, ids=[f"{v[0]}-{k}" for k, v in enumerate(VALUES)]
)
def test_published_laws_have_the_values_of_their_papers(
    name: str, at: dict[str, float], expected: float, within: float
) -> None:
    assert value(name, **at) == pytest.approx(expected, abs=within)


def test_an_error_surface_is_bounded_by_its_inner_quantity() -> None:
    surface = form("rosenfeld-2020-imagenet")
    inner = surface.inner_for_loss(0.4)
    assert surface.outer(inner) == pytest.approx(0.4, rel=1e-12)
    assert np.isnan(surface.inner_for_loss(0.9995))


@pytest.mark.parametrize(("name", "multiplier"), [("t5", 2.160), ("vit", 2.172)])
def test_sparse_models_are_worth_more_than_their_parameters(name: str, multiplier: float) -> None:
    sparse = form(f"frantar-2023-{name}")
    assert sparse.dense_multiplier(0.25) == pytest.approx(multiplier, abs=6e-4)
    assert sparse.dense_multiplier(1e-12) == pytest.approx({"t5": 3.65, "vit": 3.47}[name], abs=6e-3)


def test_the_best_density_is_the_best_of_a_scan() -> None:
    sparse, n, flops = form("frantar-2023-t5"), 1e8, 1e21
    best = sparse.optimal_density(n, flops)
    assert best == pytest.approx(0.2858, abs=6e-5)
    grid = np.linspace(0.05, 1.0, 20001)
    losses = sparse.loss(parameter_count=n, token_count=flops * grid / (6 * n), density=grid)
    assert grid[np.argmin(losses)] == pytest.approx(best, abs=1e-4)


@pytest.mark.parametrize(("bits", "share"), [(16, 0.9975), (8, 0.950), (6, 0.894), (4, 0.776), (3, 0.674), (2, 0.527)])
def test_weights_of_few_bits_leave_a_share_of_the_parameters(bits: int, share: float) -> None:
    """Without offsets, as in the main text of the paper."""
    plain = form_class("weight-precision")(
        E=2.7648, A=4299.0, B=18060.0, alpha=0.4965, beta=0.4965, gamma=2.6745, k=1.0
    )
    full = plain.loss(parameter_count=1e9 * share, token_count=1e11, weight_bits=64.0)
    assert plain.loss(parameter_count=1e9, token_count=1e11, weight_bits=float(bits)) == pytest.approx(full, abs=3e-4)


@pytest.mark.parametrize(("bits", "added"), [(3, 0.112), (4, 0.0207), (6, 0.0007)])
def test_quantizing_after_training_adds_loss_that_grows_with_data(bits: int, added: float) -> None:
    post = form("kumar-2024-post")
    assert post.degradation(1e9, 1e11, float(bits)) == pytest.approx(added, rel=0.01, abs=5e-5)
    tokens = np.geomspace(1e9, 1e14, 200)
    losses = post.loss(parameter_count=1e9, token_count=tokens, served_weight_bits=float(bits))
    assert 0 < np.argmin(losses) < 199  # beyond a critical number of tokens more of them hurt


def test_weights_trained_at_few_bits_lose_nothing_when_served_at_as_few() -> None:
    both: Any = form_class("quantized-training")(
        E=1.9, A=480.0, B=2000.0, alpha=0.34, beta=0.36, gamma_w=2.7, C_T=0.06, gamma_D=0.5, gamma_N=0.34,
        gamma_post=0.6, C_w=0.3,
    )  # fmt: skip
    at = {"parameter_count": 1e9, "token_count": 1e12}
    trained_low = both.loss(**at, weight_bits=4.0, served_weight_bits=4.0)
    assert trained_low == pytest.approx(1.9 + 480 * (1e9 * (1 - np.exp(-4 / 2.7))) ** -0.34 + 2000 * 1e12**-0.36)
    served_low = both.loss(**at, weight_bits=16.0, served_weight_bits=4.0)
    assert served_low > trained_low > both.loss(**at, weight_bits=16.0, served_weight_bits=16.0)


def test_kaplans_best_size_may_be_missed_by_a_factor_of_two() -> None:
    """Between 0.6 and 2.2 times the best size the same loss costs at most a fifth more compute."""
    steps: Any = form_class("kaplan-steps")(N_c=8.8e13, S_c=2.1e3, alpha_N=0.076, alpha_S=0.76)
    ratios = np.linspace(0.6, 2.2, 401)
    excess = steps.excess_compute(ratios)
    assert excess.max() == pytest.approx(1.2, abs=0.005)
    assert ratios[np.argmin(excess)] == pytest.approx(1.0, abs=5e-3)
    assert steps.excess_compute(1.0) == 1.0
    assert np.isnan(steps.excess_compute(0.1))
    assert steps.stopping_share() == pytest.approx(0.10)
    assert steps.compute_exponent(0.21) == pytest.approx(0.052, abs=5e-4)


def test_observed_coverage_counts_the_draws_that_hold_a_solution() -> None:
    n, c, k = 9, 3, 4
    draws = list(itertools.combinations(range(n), k))
    counted = sum(any(sample < c for sample in draw) for draw in draws) / len(draws)
    assert observed_coverage(n, c, k) == pytest.approx(counted, rel=1e-12)
    assert observed_coverage([5, 5, 5], [0, 5, 4], 2) == pytest.approx([0.0, 1.0, 1.0])
    assert np.isnan(observed_coverage(3, 1, 4))
    swe = law("brown-2024-swe-bench-lite")
    assert swe.loss(sample_count=np.array([1.0, 250.0])) == pytest.approx([0.159, 0.56], abs=1e-5)


def test_precisions_below_their_offset_are_ruinous_not_undefined() -> None:
    kumar = form("kumar-2024")
    at = {"parameter_count": 1e9, "token_count": 1e10, "weight_bits": 8.0, "cache_bits": 8.0}
    losses = [kumar.loss(**at, activation_bits=float(bits)) for bits in (2, 4, 8, 16)]
    assert losses[0] > 100
    assert losses[1] > losses[2] > losses[3]


@pytest.mark.parametrize(("name", "cut_off"), [("s-base", 1e12), ("rl-r", 3.2e10), ("hash", 2.2e11)])
def test_the_cut_off_of_routing_follows_from_printed_digits(name: str, cut_off: float) -> None:
    assert form(f"clark-2022-{name}").cut_off() == pytest.approx(cut_off, rel=0.05)


def test_the_density_that_reaches_an_error_is_the_inverse_of_the_law() -> None:
    pruning: Any = form_class("magnitude-pruning")(e_up=0.9, g=1.3, p=0.02, phi=0.7, psi=1.4)
    density = pruning.density_for_error(0.06, 20.0, 0.5, 0.3)
    at = {"dense_error": 0.06, "depth_scale": 20.0, "width_scale": 0.5, "density": density}
    assert pruning.loss(**at) == pytest.approx(0.3, rel=1e-9)
    assert np.isnan(pruning.invariant_for_error(0.06, 0.05))
    assert np.isnan(pruning.invariant_for_error(0.06, 0.95))


def test_one_network_errs_as_the_joint_law_says_at_its_own_density() -> None:
    one: Any = form_class("pruned-network")(e_np=0.06, e_up=0.9, g=1.3, p=0.02)
    joint: Any = form_class("magnitude-pruning")(e_up=0.9, g=1.3, p=0.02, phi=0.7, psi=1.4)
    densities = np.array([1.0, 0.1, 0.02, 0.01])
    assert one.loss(density=densities) == pytest.approx(joint.error_at(0.06, densities), rel=1e-14)


@pytest.mark.parametrize(("name", "ratio"), [("c4", 3.4), ("redpajama", 7.4), ("refinedweb", 5.9)])
def test_five_runs_predict_losses_but_not_the_best_ratio_of_tokens(name: str, ratio: float) -> None:
    tied = form(f"gadre-2024-{name}")
    assert tied.tokens_per_parameter() == pytest.approx(ratio, abs=0.06)
    n, d = tied.base.compute_optimal(1e21)
    assert d / n == pytest.approx(tied.tokens_per_parameter(), rel=1e-9)


def test_a_target_error_is_a_bound_on_the_loss() -> None:
    error = form("gadre-2024-c4-error-46")
    reached = error.loss_for_error(0.6)
    assert error.loss(reached_loss=reached) == pytest.approx(0.6, rel=1e-12)
    assert reached == pytest.approx(np.log(1.2885 / (0.7589 - 0.6)) / 0.9722, rel=1e-12)
    assert np.isnan(error.loss_for_error(0.8))


@pytest.mark.parametrize("flops", [1e18, 1e21, 1e24])
def test_best_sizes_and_data_of_one_paper_make_up_the_compute(flops: float) -> None:
    deepseek = value("deepseek-2024-model", training_flops=flops) * value("deepseek-2024-data", training_flops=flops)
    assert deepseek == pytest.approx(flops, rel=2e-4)
    diffusion = value("liang-2024-model", training_flops=flops) * value("liang-2024-data", training_flops=flops)
    assert 6 * diffusion / flops == pytest.approx(1.009, abs=6e-4)


def test_more_steps_or_a_larger_batch() -> None:
    trade: Any = form_class("batch-trade-off")(S_min=1e4, B_crit=1e6)
    steps = trade.loss(batch_token_count=1e6)
    assert steps == 2e4
    assert (steps / 1e4 - 1) * (steps * 1e6 / (1e4 * 1e6) - 1) == pytest.approx(1.0)


def test_two_ways_of_fine_tuning_cross_where_their_reducible_losses_are_equal() -> None:
    full, lora = form("zhang-2024-ende-full"), form("zhang-2024-ende-lora")
    tokens = full.crossover(lora, 4e9)
    at = {"parameter_count": 4e9, "finetuning_token_count": tokens}
    assert full.loss(**at) - full.E == pytest.approx(lora.loss(**at) - lora.E, rel=1e-9)


def test_the_best_number_of_votes_is_the_best_of_a_scan() -> None:
    votes: Any = form_class("votes")(s=0.7, p1=0.62, p2=0.4)
    counts = np.arange(1.0, 400.0, 2.0)
    accuracy = votes.loss(vote_count=counts)
    best = counts[np.argmax(accuracy)]
    assert votes.loss(vote_count=1.0) == pytest.approx(0.7 * 0.62 + 0.3 * 0.4)
    assert votes.loss(vote_count=3.0) == pytest.approx(
        sum(w * (p**3 + 3 * p**2 * (1 - p)) for w, p in ((0.7, 0.62), (0.3, 0.4)))
    )
    assert votes.best_vote_count() == pytest.approx(best, abs=2.0)


def test_rewards_are_highest_at_the_best_distance() -> None:
    grid = np.linspace(0.01, 40.0, 40001)
    for kind, alpha, beta in (("reward-of-best-of-n", 0.4, 0.02), ("reward-of-rl", 0.6, 0.2)):
        reward: Any = form_class(kind)(alpha=alpha, beta=beta)
        assert reward.best_distance() == pytest.approx(grid[np.argmax(reward.loss(policy_distance=grid))], abs=2e-3)


def test_the_best_shape_grows_with_compute_and_is_the_best_of_a_scan() -> None:
    shape: Any = form_class("shape-dimension")(a=0.5, b=20.0, xi=3e4, e=0.1, p=0.5, q=0.9, r=0.3)
    grid = np.geomspace(1.0, 1e7, 200001)
    for flops in (1e18, 1e21):
        losses = shape.loss(shape_dimension=grid, training_flops=flops)
        assert shape.optimal_dimension(flops) == pytest.approx(grid[np.argmin(losses)], rel=1e-3)


def test_data_seen_once_follows_a_power_and_repeats_are_worth_less() -> None:
    curve: Any = form_class("data-utility")(a=1.4, d=0.2, b=-0.15, tau=3.0)
    once = curve.loss(token_count=1e9, unique_token_count=1e9)
    assert once == pytest.approx(1.4 * 1e4**-0.15 + 0.2)
    fresh = curve.loss(token_count=2e9, unique_token_count=2e9)
    again = curve.loss(token_count=2e9, unique_token_count=1e9)
    assert fresh < again < once
    assert again == pytest.approx((once - 0.2) * 2 ** (-0.15 * 2 ** (-1 / 3)) + 0.2)


def test_pools_in_equal_shares_last_as_many_times_as_long_as_there_are() -> None:
    """Goyal et al. 2024: b of pass k + 1 is the mean of b_i 2^(-k/(p tau_i)); one pool alone is the law of one pool."""
    pools: Any = form_class("data-pools-2")(a=1.4, d=0.2, b1=-0.2, b2=-0.1, tau1=2.0, tau2=5.0)
    at = {"token_count": 2e9, "unique_token_count": 1e9}
    second = 0.5 * (-0.2 * 2 ** (-1 / 4) - 0.1 * 2 ** (-1 / 10))
    assert pools.loss(**at, pool_share_1=0.5, pool_share_2=0.5) == pytest.approx(1.4 * 1e4**-0.15 * 2**second + 0.2)
    one: Any = form_class("data-utility")(a=1.4, d=0.2, b=-0.2, tau=2.0)
    alone = pools.loss(token_count=9e9, unique_token_count=1e9, pool_share_1=1.0, pool_share_2=0.0)
    assert alone == pytest.approx(one.loss(token_count=9e9, unique_token_count=1e9), rel=1e-12)


def test_strict_filtering_pays_for_few_samples_and_hurts_for_many() -> None:
    pools: Any = form_class("data-pools-2")(a=1.4, d=0.2, b1=-0.2, b2=-0.17, tau1=1.0, tau2=2.0)
    best, both = [], []
    for seen in (1e9, 3e10):
        best.append(pools.loss(token_count=seen, unique_token_count=1e9, pool_share_1=1.0, pool_share_2=0.0))
        both.append(pools.loss(token_count=seen, unique_token_count=2e9, pool_share_1=0.5, pool_share_2=0.5))
    assert best[0] < both[0]
    assert best[1] > both[1]


def test_pruning_pays_from_where_its_steeper_curve_crosses() -> None:
    pruned: Any = form_class("data-pruning")(E=0.02, A=100.0, beta=0.4, kappa=1.2, delta=0.15)
    crossing = pruned.pruning_pays_from()
    every, third = (pruned.loss(token_count=crossing, kept_share=share) for share in (1.0, 0.3))
    assert every == pytest.approx(third, rel=1e-12)
    more = {"token_count": 10 * crossing}
    assert pruned.loss(**more, kept_share=0.3) < pruned.loss(**more, kept_share=1.0)


def test_the_best_look_back_is_the_best_of_a_scan_and_grows_with_data() -> None:
    series: Any = form_class("look-back")(E=0.3, A=10.0, B=3.0, G=1.5, alpha=0.3, beta=0.3, gamma=0.6, delta=0.4)
    grid = np.geomspace(1.0, 1e5, 20001)
    best = []
    for observations in (1e6, 1e9):
        losses = series.loss(parameter_count=1e8, observation_count=observations, look_back=grid)
        best.append(series.best_look_back(observations))
        assert best[-1] == pytest.approx(grid[np.argmin(losses)], rel=1e-3)
    assert best[1] > best[0]


def test_performance_leaves_chance_at_a_loss() -> None:
    emergent: Any = form_class("loss-threshold")(chance=0.25, slope=0.8, threshold=2.2)
    assert emergent.loss(reached_loss=np.array([3.0, 2.2, 1.7])) == pytest.approx([0.25, 0.25, 0.65])
    assert emergent.loss_for_performance(0.65) == pytest.approx(1.7)
    assert np.isnan(emergent.loss_for_performance(0.2))


def test_repeated_data_may_make_larger_models_worse() -> None:
    penalised: Any = form_class("overfitting")(
        E=1.9, A=500.0, B=1500.0, P=0.02, alpha=0.35, beta=0.36, delta=0.8, kappa=0.5
    )
    sizes = np.geomspace(1e7, 1e12, 100)
    once = penalised.loss(parameter_count=sizes, unique_token_count=1e9, epoch_count=1.0)
    often = penalised.loss(parameter_count=sizes, unique_token_count=1e9, epoch_count=30.0)
    assert np.all(np.diff(once) < 0)
    assert 0 < np.argmin(often) < 99


def test_m4_solves_the_equation_that_defines_it() -> None:
    curve: Any = form_class("m4")(floor=0.1, e0=0.8, a=0.7, b=30.0, c=-0.5)
    x = np.geomspace(1.0, 1e9, 50)
    above = curve.loss(scale=x) - 0.1
    assert above / (0.8 - above) ** 0.7 == pytest.approx(30.0 * x**-0.5, rel=1e-9)
    assert curve.scale_for(curve.loss(scale=1e4)) == pytest.approx(1e4, rel=1e-9)


def test_a_broken_power_law_has_its_slopes_on_both_sides() -> None:
    curve: Form = form_class("broken-1")(a=1e-12, b=3.0, c0=0.1, c1=0.5, d1=1e4, f1=0.3)
    for low, slope in ((1e-8, -0.1), (1e15, -0.6)):
        ends = curve.loss(scale=np.array([low, 10 * low]))
        assert np.log10(ends[1] / ends[0]) == pytest.approx(slope, abs=1e-3)


def test_modalities_help_each_other_from_a_size_on() -> None:
    both: Any = form_class("bimodal")(
        *(2.4, 490.0, 1990.0, 0.3, 0.32, 3.0, 154.0, 205.0, 0.31, 0.24), *(0.4, 40.0, 60.0, 0.25, 0.2)
    )
    size = both.synergy_parameters(3e12)
    assert both.interaction(size, 3e12) == pytest.approx(0.0, abs=1e-12)
    assert both.interaction(10 * size, 3e12) < 0
    assert np.isinf(both.synergy_parameters(2e6))
    at = {"parameter_count": 1e9, "token_count": 3e12, "first_modality_share": 2 / 3}
    alone = 2.4 + 490 * 1e9**-0.3 + 1990 * 2e12**-0.32, 3.0 + 154 * 1e9**-0.31 + 205 * 1e12**-0.24
    assert both.loss(**at) == pytest.approx(sum(alone) / 2 + both.interaction(1e9, 3e12))


def test_intrinsic_performance_is_the_least_compute_up_to_a_constant() -> None:
    agent: Any = form_class("intrinsic-performance")(N_c=2.0, E_c=5.0, alpha_N=0.5, alpha_E=0.6)
    best = []
    for product in (1e12, 1e14):
        sizes = np.geomspace(1e2, 1e11, 100001)
        best.append(np.max(agent.loss(parameter_count=sizes, interaction_count=product / sizes)))
    assert best[1] / best[0] == pytest.approx(100.0, rel=1e-6)


def test_the_vocabulary_law_fits_the_losses_it_was_fitted_to(shared_data: Path) -> None:
    """The authors' fit evaluates fertility at the vocabulary in thousands; R2 is 0.97 so and 0.04 otherwise."""
    runs = Runs.read(shared_data / "runs" / "vocab_scaling.csv")
    columns = {k: c.numbers for k, c in runs.columns.items()}
    dear = columns["C"] > 2.18e17
    predicted = law("tao-2024").loss(
        parameter_count=columns["N_nonvocab"][dear],
        vocabulary_size=columns["vocab_size"][dear],
        embedding_width=columns["embed_dim"][dear],
        character_count=columns["D_characters"][dear],
    )
    observed = columns["loss_unigram_normalised"][dear]
    error = predicted - observed
    assert 1 - np.mean(error**2) / np.var(observed) == pytest.approx(0.9716, abs=1e-3)
    assert np.sqrt(np.mean(error**2)) == pytest.approx(law("tao-2024").residual_log_sd, rel=0.1)
