"""Protections of the publisher, each of which can be taken out, to see that the tests then fail."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.storage import facade
from app.storage.file import FileStore
from app.storage.store import ObjectStore, PreconditionFailed
from tests.faults.steps import Steps


class InPlace(FileStore):
    """Writes the objects below some prefix under their own names, half by half."""

    def __init__(self, root: Path, steps: Steps, prefix: str) -> None:
        super().__init__(root)
        self._steps = steps
        self._prefix = prefix

    def put(self, key: str, body: bytes, **options: Any) -> str:
        path = self.root / key
        if not key.startswith(self._prefix):
            return super().put(key, body, **options)
        if options.get("if_none_match") and path.exists():
            raise PreconditionFailed(f"{key} is already in the store.")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb", buffering=0) as file:
            file.write(body[: len(body) // 2])
            self._steps.at(f"half of {key}")
            file.write(body[len(body) // 2 :])
        return self.stat(key).etag


class FlipFirst(FileStore):
    """Writes the pointer before all that it leads to."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._later: list[tuple[str, bytes, dict[str, Any]]] = []

    def put(self, key: str, body: bytes, **options: Any) -> str:
        if not key.startswith("live/"):
            self._later.append((key, body, options))
            return "later"
        etag = super().put(key, body, **options)
        for later in self._later:
            self._put_late(*later)
        return etag

    def sync(self, keys: Any) -> None:
        pass

    def _put_late(self, key: str, body: bytes, options: dict[str, Any]) -> None:
        if not (self.root / key).exists():
            super().put(key, body, **options)


def trusting_put(store: ObjectStore, item: facade.Item) -> bool:
    """Instead of facade's: what is there is believed to be right."""
    try:
        store.put(item.key, item.body, content_type=item.content_type, if_none_match=True)
    except PreconditionFailed:
        return False
    return True


BREACHES: dict[str, Callable[[Path, Steps], ObjectStore]] = {
    "": lambda folder, _: FileStore(folder),
    "flip first": lambda folder, _: FlipFirst(folder),
    "pointer in place": lambda folder, steps: InPlace(folder, steps, "live/"),
    "objects in place": lambda folder, steps: InPlace(folder, steps, "blobs/"),
}
