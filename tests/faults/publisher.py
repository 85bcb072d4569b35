"""A publisher that can be killed: one process imports everything, and forks for each publish.

`python -m tests.faults.publisher` reads an Order on each line of its input and answers with a line: Told.
"""

import asyncio
import os
import select
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import asyncpg
import msgspec

from app.database.engine import connect_options, make_pool
from app.publishing.activation import activate, rollback
from app.publishing.engine import Engine
from app.publishing.publish import publish
from app.publishing.report import Silent
from app.publishing.takedown import takedown
from app.storage.facade import AsyncStore
from app.storage.file import FileStore
from app.storage.memory import MemoryStore
from app.wiring import make_engine
from tests.faults.breaches import BREACHES
from tests.faults.steps import CountingLoop, Steps, count_renames, counted

NAME = "publisher of the faults"
"""By which its connections are known to the server."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    database: str
    folder: str
    """Of the store."""
    site: UUID
    now: datetime
    act: tuple[str, ...] = ("publish",)
    deadly: int | None = None
    """The number of the step at which it dies; counted from 1."""
    seconds: float | None = None
    """Its life, from outside and instead of a step; then nothing is counted."""
    breach: str = ""
    """The protection that is taken out."""


class Told(msgspec.Struct, frozen=True):
    steps: list[str]
    """All that were come by; the last is where it died."""
    status: int
    """Minus the signal, or the code with which it ended."""
    process: int
    """The id of its process, and of its group."""
    error: str = ""


def main() -> None:
    engine = make_engine(pool=None, store=MemoryStore())  # type: ignore[arg-type]  # each fork brings its own
    for name in engine.environment.list_templates(extensions=("html", "xml")):
        engine.environment.get_template(name)
    for line in sys.stdin.buffer:
        told = carry_out(engine, msgspec.json.decode(line, type=Order))
        sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
        sys.stdout.buffer.flush()


def carry_out(engine: Engine, order: Order) -> Told:
    """In a forked process, but for `warm`, which leaves what does not change from fork to fork in memory."""
    if order.act == ("warm",):
        asyncio.run(_warm(engine, order))
        return Told([], 0, os.getpid())
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reading)
        _run(engine, order, writing)
    os.close(writing)
    if order.seconds is not None:
        has_ended, _, _ = select.select([reading], [], [], order.seconds)
        if not has_ended:
            os.kill(process, signal.SIGKILL)
    with os.fdopen(reading, "rb") as pipe:
        lines = pipe.read().decode().splitlines()
    _, status = os.waitpid(process, 0)
    errors = [line.removeprefix("! ") for line in lines if line.startswith("! ")]
    steps = [line for line in lines if not line.startswith("! ")]
    return Told(steps, os.waitstatus_to_exitcode(status), process, *errors)


def _run(engine: Engine, order: Order, told: int) -> None:
    """Never returns."""
    code = 1
    try:
        os.setsid()
        if order.seconds is None:
            _count(engine, order, Steps(told, order.deadly))
        else:
            asyncio.run(_work(engine, order, AsyncStore(FileStore(Path(order.folder)))))
        code = 0
    except BaseException as error:  # noqa: BLE001 - told to the parent
        os.write(told, f"! {type(error).__name__}: {' '.join(str(error).split())}\n".encode())
    finally:
        os._exit(code)


async def _warm(engine: Engine, order: Order) -> None:
    """A dry run. Its threads end with its loop, so that forking stays safe."""
    pool = await make_pool(order.database, size=4)
    its = msgspec.structs.replace(
        engine, pool=pool, store=AsyncStore(FileStore(Path(order.folder))), gate=anyio.Lock()
    )
    await publish(its, order.site, report=Silent(), dry_run=True)
    await pool.close()


def _count(engine: Engine, order: Order, steps: Steps) -> None:
    """One thread for the store: the order of the steps is the same in every run."""
    store = BREACHES[order.breach](Path(order.folder), steps)
    count_renames(steps)
    with asyncio.Runner(loop_factory=lambda: CountingLoop(steps)) as runner:
        runner.run(_work(engine, order, AsyncStore(counted(store, steps), threads=1)))


async def _work(engine: Engine, order: Order, store: AsyncStore) -> None:
    pool: Any = await asyncpg.create_pool(
        order.database,
        min_size=0,
        max_size=4,
        server_settings={"application_name": NAME},
        **connect_options(),
    )
    its = msgspec.structs.replace(engine, pool=pool, store=store, clock=lambda: order.now, gate=anyio.Lock())
    await ACTS[order.act[0]](its, order)
    await pool.close()


ACTS: dict[str, Callable[[Engine, Order], Any]] = {
    "publish": lambda engine, order: publish(engine, order.site, report=Silent()),
    "activate": lambda engine, order: activate(engine, order.site, int(order.act[1]), report=Silent()),
    "rollback": lambda engine, order: rollback(engine, order.site, report=Silent()),
    "takedown": lambda engine, order: takedown(
        engine, order.site, order.act[1], order.act[2], report=Silent()
    ),
}


if __name__ == "__main__":
    main()
