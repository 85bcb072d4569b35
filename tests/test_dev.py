"""`./dev` on machines that lack something. What a machine has is changed in a mount namespace of its own."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DEV = str(ROOT / "dev")


def dev(*words: str) -> subprocess.CompletedProcess[str]:
    return run([DEV, *words])


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def on_a_machine(change: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command after `change`, a line of shell that mounts something over something."""
    return run(["unshare", "--mount", "sh", "-c", f'{change} && exec "$@"', "sh", *command])


def may_mount() -> bool:
    return (
        os.getuid() == 0
        and shutil.which("unshare") is not None
        and on_a_machine("true", "true").returncode == 0
    )


needs_mounts = pytest.mark.skipif(not may_mount(), reason="needs a root that may mount")
NO_POSTGRES = "mount -t tmpfs none /usr/lib/postgresql"


@pytest.fixture
def readable() -> Iterator[Path]:
    """A copy of the script that any user may run; pytest's own folders are private."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(shutil.copy(DEV, folder))


def test_without_a_word_it_says_what_there_is() -> None:
    result = dev()
    assert result.returncode == 0
    assert all(f"./dev {word}" in result.stdout for word in ("up", "test", "check", "bench", "hustings"))


def test_an_unknown_word_is_wrong_usage() -> None:
    result = dev("fly")
    assert (result.returncode, result.stdout) == (2, "")


def test_nothing_is_installed_or_said_when_nothing_is_missing() -> None:
    dev("install")
    result = dev("install")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_the_command_line_gets_its_words_and_gives_its_status() -> None:
    assert dev("hustings", "--help").stdout.strip() != ""
    assert dev("hustings", "nothing").returncode == 2


def is_shared_out(*words: str) -> bool:
    """Whether `./dev test` with these words starts several workers."""
    script = f'source {DEV} help >/dev/null && names_no_test "$@"'
    return run(["bash", "-c", script, "bash", *words]).returncode == 0


def test_all_tests_are_shared_out_and_a_few_start_at_once() -> None:
    assert is_shared_out()
    assert is_shared_out("-x", "--cov=app", "--cov-branch")
    assert not is_shared_out("tests/test_dev.py")
    assert not is_shared_out("-x", "-k", "dev")


@needs_mounts
def test_who_may_not_install_is_told_exactly_what_to_run(readable: Path) -> None:
    somebody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    result = on_a_machine(NO_POSTGRES, "env", "-i", "PATH=/usr/bin:/bin", *somebody, str(readable), "install")
    assert result.returncode == 1
    assert "apt-get update && apt-get install --no-install-recommends -y" in result.stderr
    assert "postgresql" in result.stderr


@needs_mounts
def test_a_half_installed_machine_is_told_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "0001").touch()
    interrupted = f"{NO_POSTGRES} && mount --bind {tmp_path} /var/lib/dpkg/updates"
    result = on_a_machine(interrupted, DEV, "install")
    assert result.returncode == 1
    assert "dpkg --configure -a" in result.stderr


@needs_mounts
def test_an_installation_that_is_running_is_waited_for(readable: Path, tmp_path: Path) -> None:
    """While it runs the machine looks half installed too; a process of that name stands for it."""
    (tmp_path / "updates").mkdir()
    (tmp_path / "updates" / "0001").touch()
    shutil.copy("/bin/sleep", tmp_path / "dpkg")
    busy = f"{NO_POSTGRES} && mount --bind {tmp_path / 'updates'} /var/lib/dpkg/updates"
    words = ["env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "setpriv", "--reuid=65534", "--regid=65534"]
    command = ["unshare", "--mount", "sh", "-c", f'{busy} && exec "$@"', "sh", *words, "--clear-groups"]
    with (
        subprocess.Popen([tmp_path / "dpkg", "600"]) as other,
        subprocess.Popen(
            [*command, str(readable), "install"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as waiting,
    ):
        assert waiting.stderr is not None
        first = waiting.stderr.readline()
        (tmp_path / "updates" / "0001").unlink()
        other.kill()
        other.wait()
        rest = waiting.stderr.read()
    assert "Another installation of packages is running; waiting for it." in first
    assert "interrupted" not in rest
    assert "apt-get install --no-install-recommends -y" in rest
