"""What a plan rests on, so that it can be made again: law, tables, prices, solver, versions."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files

from planner.hardware import Price
from planner.hardware.carbon import Grid
from planner.laws import Law


@cache
def hardware_revision() -> str:
    """Short hash of the hardware tables and calibration: it changes whenever a fact or a constant does."""
    digest = hashlib.sha256()
    for entry in sorted(files("planner.hardware").iterdir(), key=lambda e: e.name):
        if entry.name.endswith((".toml", ".csv")):
            digest.update(entry.name.encode() + entry.read_bytes())
    return digest.hexdigest()[:16]


@cache
def versions() -> dict[str, str]:
    """Versions of what computes the plan."""
    found = {}
    for name in ("apportion-server", "cvxpy", "clarabel", "numpy", "scipy"):
        try:
            found[f"version.{name}"] = version(name)
        except PackageNotFoundError:
            continue
    return found


def law_provenance(law: Law) -> dict[str, str]:
    """Where the law comes from."""
    origin = law.citation if law.provenance.kind == "published" else f"fitted on data {law.provenance.data_sha256[:16]}"
    return {
        "law": law.name,
        "law.form": law.form.form_name,
        "law.grade": law.grade,
        "law.metric": law.metric,
        "law.origin": origin,
    }


def electricity_provenance(use: str, electricity: Grid) -> dict[str, str]:
    """Whose electricity a use draws, with its intensity and source."""
    intensity = f"{electricity.grams_co2e_per_kwh:g} g CO2e/kWh"
    return {f"electricity.{use}": f"{electricity.zone}, {intensity} ({electricity.source})"}


def price_provenance(*prices: Price) -> dict[str, str]:
    """Each price with its offer, source and date."""
    return {
        f"price.{p.accelerator}": f"{p.price_usd_per_hour:g} USD/h, {p.offer}, {p.term} {p.region}".rstrip()
        + (f" ({p.source}, {p.date})" if p.source and p.date else f" ({p.source})")
        for p in prices
    }
