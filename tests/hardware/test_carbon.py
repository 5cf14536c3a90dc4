"""Emissions: the arithmetic of published reports, zones by name, posynomials."""

from __future__ import annotations

import pytest

from planner.errors import InvalidInput, UnknownName
from planner.hardware import accelerator
from planner.hardware.carbon import Embodied, carbon_grams, embodied, grid, grid_zones
from planner.hardware.energy import training_energy_joules
from planner.hardware.tables import table
from planner.posynomial import Posynomial, variable


def test_blooms_footprint_is_that_of_its_report() -> None:
    # Luccioni et al. 2022 (2211.02001): 1.08 million hours, 433 MWh at 57 g/kWh give 24.7 t; servers of 2500 kg for
    # eight cards of 150 kg, six years at 85 %, give 11.2 t
    hours = 1_082_990.0
    share = Embodied(150.0 + 2500.0 / 8.0, 6.0, 0.85)
    joules = training_energy_joules(hours, 400.0, node_overhead=1.0 / 0.9, pue=1.0)
    assert joules / 3.6e9 == pytest.approx(433.2, rel=1e-3)  # MWh: their 400 W are all of TDP
    assert carbon_grams(joules, 0.0, 57.0, 0.0) / 1e6 == pytest.approx(24.7, rel=0.01)
    assert carbon_grams(0.0, hours, 57.0, share.grams_per_hour) / 1e6 == pytest.approx(11.2, rel=0.01)


def test_site_energy_of_a_run_is_near_the_measured() -> None:
    # OLMo 3 7B as given by Ai2: 234,000 H100 hours, 146 MWh of accelerators
    assert training_energy_joules(234e3, 700.0, node_overhead=1.0, pue=1.0) / 3.6e9 == pytest.approx(146, rel=0.05)
    # BLOOM: 433 MWh of boards and 257 MWh of idling and infrastructure
    assert training_energy_joules(1_082_990.0, 400.0) / 3.6e9 == pytest.approx(433 + 257, rel=0.25)


def test_zones_are_countries_and_cloud_regions_and_the_world_by_default() -> None:
    assert grid().note == "World"
    assert grid("fra").grams_co2e_per_kwh < grid().grams_co2e_per_kwh < grid("POL").grams_co2e_per_kwh
    assert grid("gcp/europe-west9").source
    assert {"WOR", "USA", "gcp/us-central1"} <= set(grid_zones())
    with pytest.raises(UnknownName, match="FRA"):
        grid("FRAN")


@pytest.mark.parametrize(
    ("alpha2", "alpha3"), [("FR", "FRA"), ("us", "USA"), ("DE", "DEU"), ("CH", "CHE"), ("GB", "GBR"), ("SE", "SWE")]
)
def test_a_country_goes_by_either_of_its_iso_codes(alpha2: str, alpha3: str) -> None:
    assert grid(alpha2) == grid(alpha3)
    assert grid(alpha2).zone == alpha3


def test_no_two_countries_share_a_code_and_near_ones_are_suggested() -> None:
    rows = table("grid")["zone"]
    codes = [row["alpha2"] for row in rows.values() if "alpha2" in row]
    assert len(set(codes)) == len(codes) == sum(len(name) == 3 for name in rows) - 1, "all but the world"
    with pytest.raises(UnknownName) as unknown:
        grid("FRX")
    assert {"FRA", "FR"} & set(unknown.value.suggestions)


def test_cards_with_more_memory_took_more_to_make() -> None:
    # parametric model of Tide and Hubblo (ADEME 2025): A100 of 40 GB 181 kg, H100 273, B200 of 192 GB 461
    server = 5700.0 / 8.0
    for name, kilograms in (("A100-SXM-40GB", 181), ("H100-SXM", 273), ("B200-SXM", 461)):
        assert embodied(accelerator(name)).kgco2e - server == pytest.approx(kilograms, rel=0.1)


def test_grams_of_variables_are_a_posynomial() -> None:
    hours, joules = variable("hours"), variable("joules")
    symbolic = carbon_grams(joules, hours, 400.0, 20.0)
    assert isinstance(symbolic, Posynomial)
    assert symbolic.at({"hours": 3.0, "joules": 7.2e6}) == pytest.approx(2 * 400 + 3 * 20)


def test_bad_lives_are_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        Embodied(100.0, 0.0, 1.2)
    assert [v.field for v in caught.value.violations] == ["life_years", "utilisation"]
