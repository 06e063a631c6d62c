"""Who is connected where. Today: this process."""

from headwater.cluster.endpoint import Endpoint, EndpointProtocol, Endpoints

__all__ = ["Endpoint", "EndpointProtocol", "Endpoints"]
