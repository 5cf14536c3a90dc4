"""Links: switched fabrics, meshes, and cards behind a host bus."""

from __future__ import annotations

import pytest

from planner.hardware import accelerator, serving_cell
from planner.hardware.links import gather_bytes_per_second, link


def test_cards_behind_a_host_bus_get_slower_the_more_of_them_talk() -> None:
    card = accelerator("L40S")
    speeds = [link(card, ranks).bytes_per_second for ranks in (2.0, 4.0, 8.0)]
    assert speeds == sorted(speeds, reverse=True)
    assert speeds[2] < 0.5 * speeds[0]
    assert link(card, 8.0).extra_seconds > link(card, 2.0).extra_seconds > 0


def test_a_switch_serves_every_pair_and_a_mesh_does_not() -> None:
    assert link(accelerator("H100"), 2.0) == link(accelerator("H100"), 8.0)
    mesh = accelerator("MI300X")
    assert link(mesh, 8.0).bytes_per_second == pytest.approx(7 * link(mesh, 2.0).bytes_per_second)


def test_beyond_the_domain_the_network_decides() -> None:
    assert link(accelerator("H100"), 16.0).bytes_per_second == accelerator("H100").scaleout_bytes_per_second
    assert gather_bytes_per_second(accelerator("H100"), 1.0) > 5 * gather_bytes_per_second(accelerator("GH200"), 1.0)


def test_tensor_parallelism_over_a_host_bus_is_paid_for_in_serving() -> None:
    bus, fabric = (serving_cell(name, "fp8", tensor_parallel=8) for name in ("RTX-PRO-6000", "H100"))
    assert bus.link_bytes_per_second < 0.2 * fabric.link_bytes_per_second
    assert bus.collective_extra_seconds > 0 == fabric.collective_extra_seconds
