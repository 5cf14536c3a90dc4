"""What the client does, as generators that know no transport: they yield calls and are sent the answers.

`Client` and `AsyncClient` drive the same flows, one by blocking, one by awaiting, so nothing is written twice:
requests are built here, answers read here, pages followed, operations waited for, and what was stored on the
way to a refused fit is removed again.
"""

from apportion.flows import (
    calibrating,
    calls,
    comparing,
    experiments,
    hardware,
    laws,
    networks,
    planning,
    price_books,
    runs,
    sensitivity,
)

__all__ = [
    "calibrating",
    "calls",
    "comparing",
    "experiments",
    "hardware",
    "laws",
    "networks",
    "planning",
    "price_books",
    "runs",
    "sensitivity",
]
