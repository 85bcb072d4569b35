"""`python -m tests.bench [NAME] [--json]`: each benchmark beside its yardstick, in the same run."""

import argparse
import sys
from collections.abc import Callable

import msgspec
from rich.console import Console
from rich.table import Table

from tests.bench import faults, flip, gateway, publish, up
from tests.bench.check import Check, MissingTool, machine

BENCHES: dict[str, Callable[[], list[Check]]] = {
    "faults": faults.run,
    "flip": flip.run,
    "gateway": gateway.run,
    "publish": publish.run,
    "up": up.run,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="bench", description="Measures, beside a yardstick in the same run."
    )
    parser.add_argument("name", nargs="?", choices=sorted(BENCHES), help="one benchmark; default: all")
    parser.add_argument("--json", action="store_true", help="JSON lines on standard output, and nothing else")
    arguments = parser.parse_args()
    names = [arguments.name] if arguments.name else sorted(BENCHES)
    return max(report(name, as_json=arguments.json) for name in names)


def report(name: str, *, as_json: bool) -> int:
    try:
        checks = BENCHES[name]()
    except MissingTool as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if as_json:
        line = msgspec.json.encode({"bench": name, "machine": machine(), "checks": checks})
        sys.stdout.write(f"{line.decode()}\n")
    else:
        Console().print(table(name, checks))
    return 0


def table(name: str, checks: list[Check]) -> Table:
    shown = Table("check", "value", "unit", "goal", "", title=f"{name} on {machine()}")
    for check in checks:
        mark = {True: "ok", False: "missed", None: ""}[check.ok]
        shown.add_row(check.name, f"{check.value:,.2f}", check.unit, check.goal, mark)
    return shown


if __name__ == "__main__":
    sys.exit(main())
