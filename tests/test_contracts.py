"""Each import contract is kept by the program, and broken by an import made on purpose."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINT = Path(sys.executable).with_name("lint-imports")

# Contract, module that gets a forbidden import, what it imports.
BREAKS = [
    ("Imports point downwards", "app.kit.clock", "app.settings"),
    ("Inside sites", "app.sites.schemas", "app.sites.service"),
    ("Inside pages", "app.pages.models", "app.pages.parts"),
    ("Inside campaigns", "app.campaigns.schemas", "app.campaigns.listing"),
    ("Inside endorsements", "app.endorsements.models", "app.endorsements.pack_stakeholders"),
    ("Inside publishing", "app.publishing.manifest", "app.publishing.publish"),
    ("Inside what follows a flip", "app.publishing.afterwards.calls", "app.publishing.afterwards.urls"),
    ("Inside storage", "app.storage.s3_reasons", "app.storage.s3_calls"),
    ("Only the HTTP edge knows litestar", "app.campaigns.published", "litestar"),
    ("Only one module of app.storage knows minio", "app.publishing.build", "minio"),
    ("Handlers write no SQL", "app.campaigns.api", "sqlalchemy"),
    ("Edges are leaves: JSON", "app.web.health", "app.sites.api"),
    ("Edges are leaves: pages and packs", "app.commands.publish", "app.sites.published"),
    ("No circles", "app.storage.store", "app.publishing.pointer"),
]


def lint(folder: Path) -> str:
    run = subprocess.run([LINT, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False)
    return run.stdout


def broken(output: str) -> dict[str, str]:
    """Contract to the explanation of how it is broken."""
    names = re.findall(r"^(.+) BROKEN$", output, re.MULTILINE)
    _, _, report = output.partition("Broken contracts")
    sections = re.split(r"^(.+)\n-+$", report, flags=re.MULTILINE)
    told = dict(zip(sections[1::2], sections[2::2], strict=True))
    return {name: told.get(name, "") for name in names}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("contracts")
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copytree(ROOT / "app", folder / "app", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_every_contract_is_kept() -> None:
    assert broken(lint(ROOT)) == {}


def test_every_contract_can_be_broken(copy: Path) -> None:
    contracts = re.findall(r'^name = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert {name for name, _, _ in BREAKS} == set(contracts) - {"hustings"}
    for _, module, imported in BREAKS:
        path = copy / (module.replace(".", "/") + ".py")
        path.write_text(f"{path.read_text()}\nimport {imported}\n")
    (copy / "app" / "helpers.py").write_text("")
    found = broken(lint(copy))
    for name, module, imported in BREAKS:
        assert name in found, f"{name} was kept"
        if name != "No circles":
            assert re.search(rf"{re.escape(module)} -> {re.escape(imported)}\b", found[name]), found[name]
    assert "helpers" in found["Imports point downwards"], "a module without a place was let in"
