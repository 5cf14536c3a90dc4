"""Interconnects and clusters."""

from __future__ import annotations

from apportion import answers, requests
from apportion.flows.calls import READ_SECONDS, Flow, ask, pages_of
from apportion.reading import read
from apportion.v1 import hardware_service_pb2, network_pb2


def interconnects() -> Flow[tuple[answers.Interconnect, ...]]:
    """All interconnects, by name."""
    request = hardware_service_pb2.ListInterconnectsRequest()
    pages = yield from pages_of("Hardware", request, hardware_service_pb2.ListInterconnectsResponse)
    return tuple(read(answers.Interconnect, item) for page in pages for item in page.interconnects)


def interconnect(name: str) -> Flow[answers.Interconnect]:
    """One interconnect, matched without regard to case. Raises NotFound with suggestions."""
    request = hardware_service_pb2.GetInterconnectRequest(name=requests.resource("interconnects", name))
    return read(answers.Interconnect, (yield ask("Hardware", request, network_pb2.Interconnect, READ_SECONDS)))


def clusters() -> Flow[tuple[answers.Cluster, ...]]:
    """All clusters, by name."""
    request = hardware_service_pb2.ListClustersRequest()
    pages = yield from pages_of("Hardware", request, hardware_service_pb2.ListClustersResponse)
    return tuple(read(answers.Cluster, item) for page in pages for item in page.clusters)


def cluster(name: str) -> Flow[answers.Cluster]:
    """One cluster, matched without regard to case. Raises NotFound with suggestions."""
    request = hardware_service_pb2.GetClusterRequest(name=requests.resource("clusters", name))
    return read(answers.Cluster, (yield ask("Hardware", request, network_pb2.Cluster, READ_SECONDS)))
