import signal
import subprocess
import sys

CHILD = """
import os, sys
from app.kit.process import die_with_parent
parent = int(sys.argv[1]) or os.getppid()
die_with_parent(parent, int(sys.argv[2]))
print("lives", flush=True)
sys.stdin.read()
"""
PARENT = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], "0", sys.argv[2]], stdout=subprocess.PIPE)
child.stdout.readline()
os.kill(os.getpid(), 9)
"""


def test_a_child_ends_with_its_killed_parent() -> None:
    """The pipe closes when the child has gone too: it inherited it."""
    command = [sys.executable, "-c", PARENT, CHILD, str(int(signal.SIGTERM))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as parent:
        assert parent.stderr is not None
        assert parent.stderr.read() == b""
        assert parent.wait() == -signal.SIGKILL


def test_a_parent_that_has_gone_already_counts_as_ended() -> None:
    command = [sys.executable, "-c", CHILD, "999999999", str(int(signal.SIGTERM))]
    result = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    assert (result.returncode, result.stdout) == (-signal.SIGTERM, b"")
