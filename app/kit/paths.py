"""Paths of URLs."""


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
