"""What a benchmark reports."""

import platform
from pathlib import Path

import msgspec


class Check(msgspec.Struct, frozen=True):
    """One measured figure; `ok` is None where there is no goal."""

    name: str
    value: float
    unit: str
    goal: str = ""
    ok: bool | None = None


class MissingTool(Exception):
    """The sentence says what to install."""


def at_least(name: str, value: float, unit: str, goal: float) -> Check:
    return Check(name, value, unit, f">= {goal:g}", value >= goal)


def at_most(name: str, value: float, unit: str, goal: float) -> Check:
    return Check(name, value, unit, f"<= {goal:g}", value <= goal)


def machine() -> str:
    """Processor, system and Python: enough to tell two reports apart."""
    models = [
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    ]
    name = models[0].partition(":")[2].strip() if models else platform.machine()
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{len(models) or 1} x {name}, {system}"
