"""The table of forms: one row per functional form the planner knows."""

from __future__ import annotations

from planner.errors import UnknownName
from planner.laws.allocation_line import ALLOCATION_LINES
from planner.laws.chinchilla import Chinchilla
from planner.laws.data_constrained import DataConstrained
from planner.laws.form import Form
from planner.laws.joint_moe import JointMoE
from planner.laws.kaplan import Kaplan

FORMS: tuple[type[Form], ...] = (
    Chinchilla,
    Kaplan,
    DataConstrained,
    JointMoE,
)


def form_class(name: str) -> type[Form]:
    """The form called `name`, without regard to case. Raises UnknownName with suggestions."""
    known: dict[str, type[Form]] = {f.form_name: f for f in (*FORMS, *ALLOCATION_LINES)}
    if name.lower() not in known:
        raise UnknownName("form", name, known)
    return known[name.lower()]
