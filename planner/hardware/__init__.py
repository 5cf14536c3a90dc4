"""The cost side: what a model needs of memory, time, energy and money on an accelerator.

Facts (accelerators, prices, model shapes) are tables with sources; formulas are plain arithmetic, so that
the same function predicts on floats and arrays and yields the terms of a geometric program on
`planner.posynomial` variables; constants are fitted on measurements (`calibration.toml`) and every
prediction has an interval.
"""

from planner.hardware.accelerators import Accelerator, accelerator, accelerator_names
from planner.hardware.catalogue import SHIPPED, Catalogue, is_accelerator, is_cluster, is_interconnect, is_model_shape
from planner.hardware.cells import ServingCell, serving_cell
from planner.hardware.clusters import Cluster, cluster, cluster_names
from planner.hardware.estimate import estimate_energy, estimate_serving
from planner.hardware.interconnects import Interconnect, interconnect, interconnect_names
from planner.hardware.intervals import interval_factors
from planner.hardware.own import accelerator_from_spec, model_shape_from_config
from planner.hardware.own_networks import cluster_from_spec, interconnect_from_spec
from planner.hardware.precisions import Precision, precision
from planner.hardware.price_books import price_book
from planner.hardware.prices import Price, PriceBook, price, prices
from planner.hardware.recalibrate import SHRINKAGE, recalibrate, require_usable
from planner.hardware.recalibration import Recalibration, architecture
from planner.hardware.shapes import ModelShape, hypothetical_shape, model_shape, model_shape_names
from planner.hardware.training_estimate import estimate_training

__all__ = [
    "SHIPPED",
    "SHRINKAGE",
    "Accelerator",
    "Catalogue",
    "Cluster",
    "Interconnect",
    "ModelShape",
    "Precision",
    "Price",
    "PriceBook",
    "Recalibration",
    "ServingCell",
    "accelerator",
    "accelerator_from_spec",
    "accelerator_names",
    "architecture",
    "cluster",
    "cluster_from_spec",
    "cluster_names",
    "estimate_energy",
    "estimate_serving",
    "estimate_training",
    "hypothetical_shape",
    "interconnect",
    "interconnect_from_spec",
    "interconnect_names",
    "interval_factors",
    "is_accelerator",
    "is_cluster",
    "is_interconnect",
    "is_model_shape",
    "model_shape",
    "model_shape_from_config",
    "model_shape_names",
    "precision",
    "price",
    "price_book",
    "prices",
    "recalibrate",
    "require_usable",
    "serving_cell",
]
