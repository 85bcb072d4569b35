"""Names of hosts as requests bring them."""

import re

_HOST = re.compile(rb"(\[[0-9a-f:.]*\]|[^:\[\]]*)(?::[0-9]*)?")


def bare_host(given: bytes) -> bytes:
    """A Host header in lower case, without port and final dot; empty when it is no host at all.

    Whoever looks a site up by host must use this one: two ways to read a host are two sites for one request.
    """
    found = _HOST.fullmatch(given.lower())
    return found[1].rstrip(b".") if found else b""
