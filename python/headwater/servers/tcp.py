"""The TCP port of a node: one listener for each address, all on one number."""

from __future__ import annotations

import errno
import socket

from headwater.errors import ConfigurationError, PortInUse

__all__ = ["bind_tcp"]


def bind_tcp(hosts: tuple[str, ...], port: int) -> list[socket.socket]:
    """Bind one listener for each host, all on the same port.

    Args:
        hosts: Addresses or names; of several, those of a missing address family are skipped.
        port: 0 picks a free one.

    Raises:
        PortInUse: Another program has it.
        ConfigurationError: A host is not an address of this machine.
    """
    sockets: list[socket.socket] = []
    for host in hosts:
        try:
            family, _, _, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            if sockets:
                continue
            raise ConfigurationError(f"cannot listen on {host}: {error.strerror}") from error
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((address[0], port, *address[2:]))
        except OSError as error:
            sock.close()
            if error.errno == errno.EADDRINUSE:
                for other in sockets:
                    other.close()
                raise PortInUse(f"TCP port {port} is taken by another program") from error
            if sockets:
                continue  # this machine has no IPv6
            raise ConfigurationError(f"cannot listen on {host} port {port}: {error.strerror}") from error
        port = sock.getsockname()[1]
        sockets.append(sock)
    return sockets
