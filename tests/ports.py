"""Ports for servers that bind them themselves, some seconds later."""

import random
import socket
from pathlib import Path

LOWEST = 10_000
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_dice = random.SystemRandom()


def free_port() -> int:
    """Below those that the kernel gives to connections: meanwhile another test opens a thousand of these."""
    highest = int(_EPHEMERAL.read_text().split()[0]) - 1
    while True:
        port = _dice.randint(LOWEST, highest)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
