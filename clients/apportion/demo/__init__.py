"""Data of the tour: real training runs, cut from a published table (see ATTRIBUTION.md)."""

from __future__ import annotations

from pathlib import Path

RUNS = Path(__file__).with_name("datablations.csv")
