"""What a question may name: the shipped facts, with a caller's own accelerators, models, networks and so on on top.

A frozen value that is handed down from the question to where names are looked up, so that two questions with
different facts can be answered side by side, in one process or in several: nothing here is global, everything pickles.
Own entries cannot shadow shipped ones, because an answer that says H100-SXM must mean one thing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from planner.errors import InvalidInput, UnknownName, Violation, require
from planner.hardware import accelerators as shipped_accelerators
from planner.hardware import clusters as shipped_clusters
from planner.hardware import interconnects as shipped_interconnects
from planner.hardware import shapes as shipped_shapes
from planner.hardware.accelerators import Accelerator
from planner.hardware.clusters import Cluster
from planner.hardware.interconnects import Interconnect
from planner.hardware.prices import Price, PriceBook, shipped_prices
from planner.hardware.prices import price as shipped_price
from planner.hardware.recalibration import Recalibration
from planner.hardware.serving import ServingConstants, serving_constants
from planner.hardware.shapes import ModelShape
from planner.hardware.tables import key


@dataclass(frozen=True)
class Catalogue:
    """The caller's own facts beside the shipped ones.

    accelerators, models, interconnects, clusters: own entries, found by their names without regard to case and
        punctuation; what a cluster names must be known, shipped or own.
    calibration: constants of the caller's own stack; None for the shipped ones.
    prices: the caller's own price book; None for the shipped one.

    Raises:
        InvalidInput: an own name is taken by another entry, shipped or own; or a cluster names what nobody knows.
    """

    accelerators: tuple[Accelerator, ...] = ()
    models: tuple[ModelShape, ...] = ()
    calibration: Recalibration | None = None
    prices: PriceBook | None = None
    interconnects: tuple[Interconnect, ...] = ()
    clusters: tuple[Cluster, ...] = ()

    def __post_init__(self) -> None:
        require(
            *_taken("accelerators", [a.name for a in self.accelerators], is_accelerator),
            *_taken("models", [m.name for m in self.models], is_model_shape),
            *_taken("interconnects", [i.name for i in self.interconnects], is_interconnect),
            *_taken("clusters", [c.name for c in self.clusters], is_cluster),
            *(fault for own in self.clusters for fault in self._unknown_parts(own)),
        )

    def accelerator(self, name: str) -> Accelerator:
        """The accelerator of that name or alias. Raises UnknownName with the nearest names, own ones among them."""
        own = next((a for a in self.accelerators if key(a.name) == key(name)), None)
        if own is not None:
            return own
        try:
            return shipped_accelerators.accelerator(name)
        except UnknownName:
            raise UnknownName("accelerator", name, self.accelerator_names()) from None

    def accelerator_names(self) -> tuple[str, ...]:
        """All names: shipped ones in the order of the table, then own ones."""
        return (*shipped_accelerators.accelerator_names(), *(a.name for a in self.accelerators))

    def interconnect(self, name: str) -> Interconnect:
        """The interconnect of that name or alias. Raises UnknownName with the nearest names, own ones among them."""
        own = next((i for i in self.interconnects if key(i.name) == key(name)), None)
        if own is not None:
            return own
        try:
            return shipped_interconnects.interconnect(name)
        except UnknownName:
            raise UnknownName("interconnect", name, self.interconnect_names()) from None

    def interconnect_names(self) -> tuple[str, ...]:
        """All names: shipped ones in the order of the table, then own ones."""
        return (*shipped_interconnects.interconnect_names(), *(i.name for i in self.interconnects))

    def cluster(self, name: str) -> Cluster:
        """The cluster of that name or alias. Raises UnknownName with the nearest names, own ones among them."""
        own = next((c for c in self.clusters if key(c.name) == key(name)), None)
        if own is not None:
            return own
        try:
            return shipped_clusters.cluster(name)
        except UnknownName:
            raise UnknownName("cluster", name, self.cluster_names()) from None

    def cluster_names(self) -> tuple[str, ...]:
        """All names: shipped ones in the order of the table, then own ones."""
        return (*shipped_clusters.cluster_names(), *(c.name for c in self.clusters))

    def _unknown_parts(self, own: Cluster) -> list[Violation]:
        parts: tuple[tuple[str, str, Callable[[str], Any]], ...] = (
            ("accelerator", own.accelerator, self.accelerator),
            ("scaleup_interconnect", own.scaleup_interconnect, self.interconnect),
            ("scaleout_interconnect", own.scaleout_interconnect, self.interconnect),
        )
        return [
            Violation(f"clusters[{own.name}].{field}", name, "a name in the catalogue")
            for field, name, find in parts
            if name and not _is_known(find, name)
        ]

    def model_shape(self, name: str) -> ModelShape:
        """The shape of a model by its full or short name. Raises UnknownName with the nearest names."""
        own = next((m for m in self.models if key(m.name) == key(name)), None)
        if own is not None:
            return own
        try:
            return shipped_shapes.model_shape(name)
        except UnknownName:
            known = [n.rsplit("/", 1)[-1] for n in self.model_shape_names()]
            raise UnknownName("model", name, known) from None

    def price(self, chip: Accelerator, term: str, price_usd_per_hour: float | None = None) -> Price:
        """The price to plan with, as `prices.price`; of an own accelerator one in the book, or the one given.

        Raises:
            InvalidInput: unknown term, a price that is not positive, or no offer: the caller must give a price.
        """
        book, name = self.prices or shipped_prices(), chip.name
        if not is_accelerator(name):
            listed = {key(p.accelerator): p.accelerator for p in book.offers}
            if key(name) not in listed and price_usd_per_hour is None:
                allowed = f"needed: {name} is your own, and the price book has no offer of it"
                raise InvalidInput(Violation("price_usd_per_hour", "unset", allowed))
            name = listed.get(key(name), name)
            if name not in listed.values():
                book = PriceBook((*book.offers, Price(name, 1.0, term, "", "", "", "")))
        return shipped_price(name, term, price_usd_per_hour=price_usd_per_hour, book=book)

    @property
    def serving_constants(self) -> ServingConstants:
        """Of the caller's own stack, or the shipped ones."""
        return self.calibration.constants if self.calibration else serving_constants()

    @property
    def engine(self) -> str:
        """The engine that the caller's own stack was measured on; empty for the mean engine."""
        return self.calibration.engine if self.calibration else ""

    def model_shape_names(self) -> tuple[str, ...]:
        """All names: shipped ones in the order of the table, then own ones."""
        return (*shipped_shapes.model_shape_names(), *(m.name for m in self.models))


def is_accelerator(name: str) -> bool:
    """Is there a shipped accelerator of that name or alias?"""
    return _is_known(shipped_accelerators.accelerator, name)


def is_model_shape(name: str) -> bool:
    """Is there a shipped model of that name, full or short?"""
    return _is_known(shipped_shapes.model_shape, name)


def is_interconnect(name: str) -> bool:
    """Is there a shipped interconnect of that name or alias?"""
    return _is_known(shipped_interconnects.interconnect, name)


def is_cluster(name: str) -> bool:
    """Is there a shipped cluster of that name or alias?"""
    return _is_known(shipped_clusters.cluster, name)


def _is_known(find: Callable[[str], Any], name: str) -> bool:
    try:
        find(name)
    except UnknownName:
        return False
    return True


def _taken(field: str, names: list[str], shipped: Callable[[str], bool]) -> list[Violation]:
    spelt = [key(name) for name in names]
    return [
        Violation(field, name, "a name that no other entry bears")
        for name in names
        if shipped(name) or spelt.count(key(name)) > 1
    ]


SHIPPED = Catalogue()
