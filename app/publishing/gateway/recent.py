"""A bounded memory of what was used lately."""

from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Forgets what was not used for a while once `limit` is reached; not for threads.

    Two generations instead of a list by age: a hit among the young costs one dict lookup. When the young
    weigh half the limit they become the old, and what is still old then is forgotten.
    """

    def __init__(self, limit: int, weigh: Callable[[V], int] = lambda _: 1) -> None:
        self._half = limit // 2
        self._weigh = weigh
        self._weight = 0
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        value = self._young.get(key)
        if value is None and (value := self._old.pop(key, None)) is not None:
            self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        """Something heavier than half the limit is not kept at all."""
        weight = self._weigh(value)
        if weight > self._half:
            return
        if self._weight + weight > self._half:
            self._old, self._young, self._weight = self._young, {}, 0
        if key not in self._young:
            self._weight += weight
        self._young[key] = value
