"""How the command line shows the progress of a publish: a live bar on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from app.commands.context import notice
from app.publishing.report import Reporter


class Lines:
    """A line for each step, on standard error."""

    def __init__(self, site: str) -> None:
        self._site = site

    def step(self, name: str, total: int | None = None) -> None:
        paths = "" if total is None else f" {total} paths"
        notice(f"{self._site}: {name}{paths}")

    def advance(self, count: int) -> None:
        """A log has no use for parts of a step."""

    def note(self, sentence: str) -> None:
        notice(f"{self._site}: {sentence}")


class Bar:
    """A bar on the terminal that shows the step and the paths done."""

    def __init__(self, site: str, progress: Progress) -> None:
        self._site = site
        self._progress = progress
        self._task: TaskID | None = None

    def step(self, name: str, total: int | None = None) -> None:
        self._finish()
        self._task = self._progress.add_task(f"{self._site}: {name}", total=total)

    def advance(self, count: int) -> None:
        if self._task is not None:
            self._progress.advance(self._task, count)

    def note(self, sentence: str) -> None:
        self._progress.console.print(f"{self._site}: {sentence}")

    def _finish(self) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)


@contextmanager
def reporting(site: str) -> Iterator[Reporter]:
    if not sys.stderr.isatty():
        yield Lines(site)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield Bar(site, progress)
