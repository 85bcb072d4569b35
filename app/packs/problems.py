"""What is wrong with a pack: collected, so that an editor sees everything at once."""

import msgspec

from app.errors import AppError

SHOWN = 50


class Problem(msgspec.Struct, frozen=True, order=True):
    """`line` counts from 1; 0 means the whole file. `field` is empty when no field is meant."""

    file: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (where, self.field, self.message) if part)


class PackError(AppError):
    """A content pack that cannot be loaded or written; nothing was changed. `problems` holds all of them."""

    status = 422
    title = "The content pack cannot be loaded"

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        lines = [str(problem) for problem in problems[:SHOWN]]
        if len(problems) > SHOWN:
            lines.append(f"... and {len(problems) - SHOWN} more problems.")
        super().__init__("\n".join(lines))
        self.problems = problems


class Problems:
    """Collects; `check` raises PackError when there are any."""

    def __init__(self) -> None:
        self._found: dict[Problem, None] = {}

    def add(self, file: str, message: str, *, line: int = 0, field: str = "") -> None:
        self._found[Problem(file, line, field, message)] = None

    def check(self) -> None:
        if self._found:
            raise PackError(tuple(sorted(self._found)))

    def __len__(self) -> int:
        return len(self._found)


def refuse(file: str, message: str) -> PackError:
    """The error for one problem that leaves nothing else to look at."""
    return PackError((Problem(file, 0, "", message),))
