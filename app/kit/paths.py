"""Paths of URLs."""

from collections.abc import Iterator
from unicodedata import normalize


def tidy_path(path: str) -> str:
    """Without empty and dot segments; always starts with exactly one slash."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in {"", "."}:
            kept.append(segment)
    is_folder = path.endswith(("/", "/.", "/..")) and kept
    return "/" + "/".join(kept) + ("/" if is_folder else "")


def spellings(path: str) -> Iterator[str]:
    """What may have been meant, the likeliest first: tidy, with letters composed (NFC), in small letters;
    each also with a slash at the end."""
    tidy = tidy_path(path)
    composed = normalize("NFC", tidy)
    for form in dict.fromkeys((tidy, composed, composed.lower())):
        yield form
        yield f"{form}/"
