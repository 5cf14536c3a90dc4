"""What a collective gets out of the links between accelerators, by the kind of link.

A switched fabric serves every pair at once; a full mesh gives each pair its own link, so that few ranks use
few of them; cards behind a host bus share it, and get slower the more of them talk. Shares of the nominal
one-way speed and fixed times are fitted on measured collectives (`calibration.toml`, section `links`):
nothing here depends on the name of an accelerator.
"""

from __future__ import annotations

from dataclasses import dataclass

from planner.hardware.accelerators import Accelerator
from planner.hardware.tables import calibration


@dataclass(frozen=True)
class Link:
    """Bus speed of a collective (bytes/s one way per accelerator) and its fixed time over that of a switched
    fabric."""

    bytes_per_second: float
    extra_seconds: float


def link(chip: Accelerator, ranks: float) -> Link:
    """The link that `ranks` accelerators of one replica use: scale-up inside its domain, else the slower of both.

    Speed is relative to a switched fabric, whose own efficiency is a constant of each cost model.
    """
    inside = _scaleup(chip, min(ranks, float(chip.scaleup_domain)))
    if ranks <= chip.scaleup_domain:
        return inside
    outside = chip.scaleout_bytes_per_second
    return Link(min(outside, inside.bytes_per_second), inside.extra_seconds)


def _scaleup(chip: Accelerator, ranks: float) -> Link:
    c = calibration("links")
    nominal = chip.scaleup_bytes_per_second
    if chip.scaleup_link == "mesh":
        peers = max(chip.scaleup_domain - 1.0, 1.0)
        return Link(nominal * max(ranks - 1.0, 1.0) / peers, 0.0)
    if chip.scaleup_link == "pcie":
        crowding = (2.0 / max(ranks, 2.0)) ** c["pcie_crowding_exponent"]
        share = c["pcie_efficiency"] / c["switch_efficiency"] * crowding
        return Link(nominal * share, c["pcie_seconds_per_rank"] * (ranks if ranks > 1 else 0.0))
    return Link(nominal, 0.0)


def gather_bytes_per_second(
    chip: Accelerator, tensor_parallel: float, accelerator_count: float = float("inf")
) -> float:
    """Speed at which one accelerator gathers its shard's weights from (and scatters gradients to) the other replicas.

    Inside one scale-up domain its links; beyond it, the network cards of the domain's accelerators work for the
    tensor ranks together: scale-out speed x domain / tensor ranks, or the inside links if these are slower.
    """
    efficiency = float(calibration("links")["switch_efficiency"])
    inside = _scaleup(chip, min(float(chip.scaleup_domain), accelerator_count)).bytes_per_second
    if accelerator_count <= chip.scaleup_domain:
        return efficiency * inside
    cards = max(chip.scaleup_domain / tensor_parallel, 1.0)
    outside = chip.scaleout_bytes_per_second * cards
    return efficiency * (outside if chip.scaleup_domain == 1 else min(inside, outside))
