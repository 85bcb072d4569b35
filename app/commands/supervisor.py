"""Everything that `up` starts, kept running until it is told to stop, and then stopped with nothing left."""

import asyncio
import fcntl
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import rich_click as click

from app.commands.context import database, notice
from app.commands.prepare import prepare
from app.database.cluster import is_running, running_cluster
from app.errors import AppError, ConfigurationError
from app.kit.process import die_with_parent
from app.server import ServerStopped, reserved_port
from app.settings import Settings, child_environment

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOP_SECONDS = 30
READY_SECONDS = 60
POLL_SECONDS = 0.2
ENDS_ALLOWED = 3
ENDS_WITHIN = 20
"""A child may end `ENDS_ALLOWED` times within that many seconds before `up` gives up."""


class Child:
    """A command of this program as a process that is started again when it ends."""

    def __init__(self, words: list[str], settings: Settings) -> None:
        self.words = words
        self.name = words[0]
        self.settings = settings
        self.ends: list[float] = []
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "app.cli", *self.words],
            env=child_environment(self.settings),
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            start_new_session=True,  # Ctrl-C reaches `up` alone, which stops the others in order
            preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509 - no threads here
        )

    def look_after(self) -> None:
        """Start it again if it ended. Raises ServerStopped when it ends again and again."""
        status = self.process.poll()
        if status is None:
            return
        self.ends = [end for end in self.ends if end > time.monotonic() - ENDS_WITHIN]
        self.ends.append(time.monotonic())
        if len(self.ends) >= ENDS_ALLOWED:
            raise ServerStopped(
                f"`hustings {self.name}` keeps ending (status {status}); see the lines above."
            )
        notice(f"`hustings {self.name}` ended with status {status}; starting it again.")
        self.process = self._start()

    def stop(self) -> None:
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def run_everything(settings: Settings, *, demo: bool) -> None:
    """Prints `ready URL` on standard output when the gateway answers; returns after SIGINT or SIGTERM.

    Raises ConfigurationError, before anything is started, when the data folder or the port is taken.
    """
    try:
        with (
            _told_to_stop(),
            _alone_in(settings.data),
            reserved_port(settings.host, settings.port),
            database(settings, migrate=True) as ready,
        ):
            asyncio.run(prepare(ready, demo=demo, say=notice))
            _serve(ready, private=settings.database_url is None)
    except KeyboardInterrupt:
        notice("Stopped.")


def _serve(settings: Settings, *, private: bool) -> None:
    with _children(settings) as children:
        _wait_until_answers(settings, children)
        click.echo(f"ready http://{_visible(settings.host)}:{settings.port}/")
        sys.stdout.flush()
        while True:
            _look_after(children, settings.data if private else None)
            time.sleep(POLL_SECONDS)


@contextmanager
def _children(settings: Settings) -> Iterator[list[Child]]:
    children: list[Child] = []
    try:
        children.append(Child(["serve", "--port-is-held"], settings))
        children.append(Child(["worker"], settings))
        yield children
    finally:
        for child in children:
            child.process.terminate()
        for child in children:
            child.stop()


def _look_after(children: list[Child], data: Path | None) -> None:
    if data is not None and not is_running(data):
        with running_cluster(data, say=notice):
            notice("The database had stopped and runs again.")
    for child in children:
        child.look_after()


def _wait_until_answers(settings: Settings, children: list[Child]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not _answers(settings):
        _look_after(children, None)
        if time.monotonic() > deadline:
            raise ServerStopped(f"The server did not answer within {READY_SECONDS} seconds.")
        time.sleep(POLL_SECONDS / 4)


def _answers(settings: Settings) -> bool:
    """Whether the gateway gives a page, if only that nothing is published; it has read its releases then."""
    connection = http.client.HTTPConnection(_visible(settings.host), settings.port, timeout=5)
    try:
        connection.request("GET", "/")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def _visible(host: str) -> str:
    """An address at which this machine reaches a server that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - compared


@contextmanager
def _alone_in(data: Path) -> Iterator[None]:
    """Hold the data folder for one `up`. The kernel lets go of it when the process ends, however it ends."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock = (data / "up.lock").open("ab")
    except OSError as error:
        raise ConfigurationError(
            f"The data folder {data} cannot be written: {error.strerror}."
            " Give yourself the right to write there, or choose another with --data."
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyUp(
                f"`hustings up` already runs over the data folder {data}."
                " Stop that one, or choose another folder with --data."
            ) from None
        yield


class AlreadyUp(AppError):
    """Another `up` holds the data folder."""

    status = 409
    title = "Already running"


@contextmanager
def _told_to_stop() -> Iterator[None]:
    """While this is open, the first stopping signal raises KeyboardInterrupt and later ones are ignored."""

    def stop(_number: int, _frame: object) -> None:
        for number in STOPPING:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
