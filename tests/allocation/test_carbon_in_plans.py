"""Emissions of plans: electricity where it is drawn, hours of hardware that was made, and limits on both."""

from dataclasses import replace

import pytest

from planner.allocation import (
    DeploymentProblem,
    HardwareChoice,
    LifecycleProblem,
    Outcome,
    TrainingProblem,
    Workload,
    plan_deployment,
    plan_lifecycle,
    plan_training,
)
from planner.errors import UnknownName
from planner.hardware import accelerator
from planner.hardware.carbon import embodied, grid
from planner.laws import law

LAW = law("besiroglu-2024")
HERE = HardwareChoice(accelerators=("H100-SXM",), grid_zone="FRA")
CHAT = Workload(requests_per_second=5.0, input_token_count=1024, output_token_count=1024, max_tpot_seconds=0.05)


def test_a_run_emits_its_electricity_and_its_share_of_the_hardware():
    plan = plan_training(TrainingProblem(LAW, {"training_usd": 1e5}, hardware=HERE))
    kwh = plan.metrics["training_energy_joules"].value / 3.6e6
    share = embodied(accelerator("H100-SXM")).grams_per_hour * plan.metrics["accelerator_hours"].value
    grams = kwh * grid("FRA").grams_co2e_per_kwh + share
    assert plan.metrics["training_kgco2e"].value == pytest.approx(grams / 1e3, rel=1e-9)
    assert plan.provenance["electricity.training"].startswith("FRA")


def test_a_limit_on_emissions_binds_and_dirtier_electricity_buys_less():
    losses = []
    for zone in ("FRA", "POL"):
        choice = replace(HERE, grid_zone=zone)
        plan = plan_training(TrainingProblem(LAW, {"training_kgco2e": 5e3}, hardware=choice))
        assert plan.outcome is Outcome.OPTIMAL
        assert plan.metrics["training_kgco2e"].value == pytest.approx(5e3, rel=1e-2)
        assert "training_kgco2e" in {b.metric for b in plan.binding}
        losses.append(plan.metrics["loss"].value)
    assert losses[0] < losses[1]


def test_emissions_of_a_life_are_those_of_training_and_of_serving():
    problem = LifecycleProblem(
        LAW, 1e12, {"loss": 2.1}, minimize="lifetime_kgco2e", workload=CHAT, training_hardware=HERE
    )
    plan = plan_lifecycle(problem)
    parts = plan.metrics["training_kgco2e"].value + plan.metrics["serving_kgco2e"].value
    assert plan.metrics["lifetime_kgco2e"].value == pytest.approx(parts, rel=1e-9)
    cheapest = plan_lifecycle(replace(problem, minimize="lifetime_usd"))
    assert plan.metrics["lifetime_kgco2e"].value <= cheapest.metrics["lifetime_kgco2e"].value * (1 + 1e-6)


def test_the_cleanest_deployment_is_no_dirtier_than_the_cheapest():
    clean = plan_deployment(DeploymentProblem(CHAT, model="Llama-3.1-70B", minimize="kgco2e_per_million_tokens"))
    cheap = plan_deployment(DeploymentProblem(CHAT, model="Llama-3.1-70B"))
    name = "kgco2e_per_million_tokens"
    assert clean.metrics[name].value <= cheap.metrics[name].value


def test_an_unknown_zone_suggests_the_nearest():
    with pytest.raises(UnknownName, match="FRA"):
        plan_training(TrainingProblem(LAW, {"training_usd": 1e5}, hardware=replace(HERE, grid_zone="FRX")))
