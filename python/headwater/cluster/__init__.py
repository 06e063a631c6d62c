"""Who is connected where. Today: this process, and its name among several."""

from headwater.cluster.endpoint import Endpoint, EndpointProtocol, Endpoints
from headwater.cluster.node import node_name

__all__ = ["Endpoint", "EndpointProtocol", "Endpoints", "node_name"]
