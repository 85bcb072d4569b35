"""The files of this installation: beside the package in a checkout, inside it in a wheel."""

import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent


@cache
def program_digest() -> str:
    """A digest of the code of this installation: another version may make other pages of the same content."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(f"{path.relative_to(PACKAGE)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def resource(name: str) -> Path:
    """The folder `name` (templates, migrations, content) of this installation."""
    inside = PACKAGE / "_data" / name
    return inside if inside.exists() else PACKAGE.parent / name
