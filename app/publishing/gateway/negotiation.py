"""What a request's headers ask for: codings, conditions, ranges. Pure, and never raises."""

import re

from app.publishing.manifest import Encoding

Coding = Encoding | None
"""None is the body as it is."""

_WEIGHT = re.compile(rb"q=([01](?:\.[0-9]{0,3})?)")
_TAG = re.compile(rb'(W/)?("[^"]*")')
_RANGE = re.compile(rb"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*")
_NAMES: dict[bytes, Coding] = {b"br": "br", b"gzip": "gz", b"x-gzip": "gz", b"identity": None}
_RANKS: dict[Coding, int] = {"br": 2, "gz": 1, None: 0}
_LONGEST = 1_000


def preferred_codings(accept: bytes) -> tuple[Coding, ...]:
    """Codings that an Accept-Encoding allows, best first; the last resort, identity, is always there.

    A client that forbids even identity gets it all the same, which RFC 9110 prefers to an error for readers.
    """
    weights = _weights(accept) if accept and len(accept) <= _LONGEST else {}
    rest = weights.pop(b"*", 0.0)
    known = {_NAMES[name]: weight for name, weight in weights.items() if name in _NAMES}
    known = {"br": rest, "gz": rest, None: 0.0, **known}
    wanted = sorted(known, key=lambda coding: (known[coding], _RANKS[coding]), reverse=True)
    return (*(coding for coding in wanted if coding and known[coding] > 0 and _beats(coding, known)), None)


def matches(header: bytes, tag: bytes, *, strong: bool = False) -> bool:
    """Whether If-None-Match (weak) or If-Match, If-Range (strong) names this strong tag, or is `*`."""
    if header.strip() == b"*":
        return True
    return any(named == tag and not (strong and weak) for weak, named in _TAG.findall(header[:8_192]))


def parse_range(header: bytes, size: int) -> range | None:
    """The bytes asked for; empty when none of them exist (416); None when the header is to be ignored.

    Several ranges at once are ignored: the whole body is a right answer to them.
    """
    found = _RANGE.fullmatch(header)
    if found is None or found[1] == found[2] == b"":
        return None
    if found[1] == b"":
        return range(max(0, size - int(found[2])), size)
    start, end = int(found[1]), int(found[2]) + 1 if found[2] else size
    if found[2] and end <= start:
        return None
    return range(start, min(end, size)) if start < size else range(0)


def _weights(accept: bytes) -> dict[bytes, float]:
    weights: dict[bytes, float] = {}
    for part in accept.lower().split(b","):
        name, _, parameter = part.replace(b" ", b"").replace(b"\t", b"").partition(b";")
        found = _WEIGHT.fullmatch(parameter)
        weights[name] = float(found[1]) if found else float(not parameter)
    return weights


def _beats(coding: Coding, weights: dict[Coding, float]) -> bool:
    """Not when the client likes the plain body better."""
    return weights[coding] >= weights[None]
