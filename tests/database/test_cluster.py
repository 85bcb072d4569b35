import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from app.database import cluster as module
from app.database import keeper
from app.database.cluster import Cluster, find_binaries, remove_cluster, running_cluster
from app.errors import ConfigurationError

HOLD = """
import sys
from pathlib import Path
from app.database.cluster import running_cluster
with running_cluster(Path(sys.argv[1]), safe=False):
    print("in use", flush=True)
    sys.stdin.read()
"""

FORK = """
import os, sys
from pathlib import Path
from app.database.cluster import running_cluster
from app.database.keeper import is_ready
with running_cluster(Path(sys.argv[1]), safe=False) as cluster:
    child = os.fork()
    if child == 0:
        sys.exit(0)
    os.waitpid(child, 0)
    print("child left")
    print("still in use" if is_ready(cluster.folder) else "stopped")
"""


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    remove_cluster(tmp_path / "data")


@contextmanager
def another_user(data: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that uses the cluster until it is killed or its standard input closes."""
    command = [sys.executable, "-c", HOLD, str(data)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in use\n"
        yield process


def query(cluster: Cluster, sql: str) -> object:
    async def run() -> object:
        connection = await asyncpg.connect(cluster.url("superuser", "postgres"))
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(run())


def folder_of(data: Path) -> Path:
    return (data / "cluster").resolve()


def server_is_gone(data: Path) -> bool:
    return not keeper.server_processes(folder_of(data))


def comes_true(condition: Callable[[], bool]) -> bool:
    return keeper.wait_for(condition, 30)


def keeper_of(data: Path) -> int:
    postmaster = keeper.read_pid_file(folder_of(data))[0]
    status = Path(f"/proc/{postmaster}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("PPid:")).split()[1])


def test_it_runs_while_anybody_uses_it_and_keeps_its_data(data: Path) -> None:
    said: list[str] = []
    with running_cluster(data, say=said.append, safe=False) as first:
        query(first, "CREATE TABLE kept (id int)")
        with running_cluster(data, say=said.append, safe=False) as second:
            assert second == first
        assert query(first, "SELECT 1") == 1
    assert server_is_gone(data)
    with running_cluster(data, say=said.append, safe=False) as third:
        assert query(third, "SELECT count(*) FROM kept") == 0
    assert [sentence.split(" ")[0] for sentence in said] == ["Making", "Starting", "Starting"]


def test_it_listens_on_a_socket_that_others_cannot_reach(cluster: Cluster) -> None:
    assert query(cluster, "SHOW listen_addresses") == ""
    assert cluster.sockets.stat().st_mode & 0o777 == 0o700
    assert cluster.log.read_text() != ""


def test_psql_reads_the_same_url(cluster: Cluster) -> None:
    psql = find_binaries() / "psql"
    command = [str(psql), "-Atc", "SELECT current_user", cluster.url("superuser", "postgres")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "postgres\n"


def test_the_files_are_checked_and_the_text_is_utf8(cluster: Cluster) -> None:
    assert query(cluster, "SHOW data_checksums") == "on"
    assert query(cluster, "SHOW server_encoding") == "UTF8"
    assert query(cluster, "SELECT datcollate FROM pg_database WHERE datname = 'postgres'") == "C.UTF-8"
    assert query(cluster, "SHOW shared_preload_libraries") == "pg_stat_statements"


def test_the_server_stops_when_its_only_user_is_killed(data: Path) -> None:
    with another_user(data) as user:
        assert not server_is_gone(data)
        user.kill()
    assert comes_true(lambda: server_is_gone(data))
    with running_cluster(data, safe=False) as again:
        assert query(again, "SELECT 1") == 1


def test_the_server_outlives_the_user_who_started_it_while_another_is_there(data: Path) -> None:
    with another_user(data) as starter, running_cluster(data, safe=False) as running:
        starter.kill()
        starter.wait()
        assert query(running, "SELECT 1") == 1
    assert server_is_gone(data)


def test_a_killed_keeper_takes_the_server_with_it_and_the_next_user_starts_afresh(data: Path) -> None:
    with another_user(data):
        killed = keeper_of(data)
        os.kill(killed, signal.SIGKILL)
        assert comes_true(lambda: server_is_gone(data))
        with running_cluster(data, safe=False) as running:
            assert query(running, "SELECT 1") == 1
            assert keeper_of(data) != killed


def test_a_killed_server_is_started_again_with_its_data(data: Path) -> None:
    with running_cluster(data, safe=False) as running:
        query(running, "CREATE TABLE kept (id int)")
        killed = int(keeper.read_pid_file(running.folder)[0])
        os.kill(killed, signal.SIGKILL)
        assert comes_true(lambda: keeper.is_ready(running.folder) and not _is(running, killed))
        assert query(running, "SELECT count(*) FROM kept") == 0


def _is(running: Cluster, process: int) -> bool:
    return keeper.read_pid_file(running.folder)[:1] == [str(process)]


def test_nothing_of_a_machine_that_lost_its_power_stands_in_the_way(data: Path) -> None:
    with another_user(data) as user:
        processes = [user.pid, keeper_of(data), *keeper.server_processes(folder_of(data))]
        for process in processes:
            keeper.send(process, signal.SIGKILL)
    assert comes_true(lambda: server_is_gone(data) and not module._keeper_lives(folder_of(data)))
    with running_cluster(data, safe=False) as running:
        assert query(running, "SELECT 1") == 1


def test_a_lock_file_with_the_id_of_another_server_is_no_obstacle(data: Path, cluster: Cluster) -> None:
    """After a restart of the machine the id in it may be anybody's; PostgreSQL alone would refuse."""
    with running_cluster(data, safe=False):
        pass
    other = (cluster.folder / "data" / "postmaster.pid").read_bytes()
    (folder_of(data) / "data" / "postmaster.pid").write_bytes(other)
    with running_cluster(data, safe=False) as running:
        assert query(running, "SELECT 1") == 1
    assert query(cluster, "SELECT 1") == 1


def test_two_who_start_at_the_same_time_share_one_server(data: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(data)]
    users = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)]
    for user in users:
        assert user.stdout is not None
        assert user.stdout.readline() == b"in use\n"
    servers = keeper.server_processes(folder_of(data))
    assert len([server for server in servers if _parent(server) not in servers]) == 1
    for user in users:
        user.communicate()
    assert [user.returncode for user in users] == [0, 0]
    assert server_is_gone(data)


def _parent(process: int) -> int:
    """Itself for one that has ended. A backend just forked still bears its postmaster's name."""
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return process


def test_a_forked_child_that_leaves_does_not_end_its_parents_use(data: Path) -> None:
    """A child shares its parent's lock: releasing it there would stop the server under the parent."""
    result = subprocess.run(
        [sys.executable, "-c", FORK, str(data)], capture_output=True, text=True, check=True
    )
    assert result.stdout == "child left\nstill in use\n"


def test_an_initdb_that_was_interrupted_is_done_again(data: Path) -> None:
    with running_cluster(data, safe=False):
        pass
    (folder_of(data) / "complete").unlink()
    (folder_of(data) / "data" / "PG_VERSION").unlink()
    with running_cluster(data, safe=False) as running:
        assert query(running, "SELECT 1") == 1


def test_a_server_that_does_not_start_says_why(data: Path) -> None:
    with running_cluster(data, safe=False):
        pass
    (folder_of(data) / "data" / "postgresql.conf").write_text("no such setting = 1\n")
    with pytest.raises(ConfigurationError, match=r"(?s)did not start.*syntax error"), running_cluster(data):
        raise AssertionError


def test_a_database_of_another_version_is_named(data: Path) -> None:
    with running_cluster(data, safe=False):
        pass
    (folder_of(data) / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(ConfigurationError, match=r"PostgreSQL 9.*postgresql-9"), running_cluster(data):
        raise AssertionError


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="file/data cannot be written"):
        running_cluster(tmp_path / "file" / "data").__enter__()


def test_missing_programs_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="not found"):
        find_binaries(distribution=tmp_path, path=str(tmp_path))


def test_programs_are_found_on_the_path(tmp_path: Path) -> None:
    real = find_binaries()
    (tmp_path / "initdb").symlink_to(real / "initdb")
    assert find_binaries(distribution=tmp_path / "none", path=str(tmp_path)) == real


def test_programs_on_the_path_say_their_version_themselves(tmp_path: Path) -> None:
    real = find_binaries()
    version = real.parent.name
    for program in ("initdb", "postgres"):
        (tmp_path / program).write_text(f'#!/bin/sh\nexec {real}/{program} "$@"\n')
        (tmp_path / program).chmod(0o755)
    assert find_binaries(version, distribution=tmp_path / "none", path=str(tmp_path)) == tmp_path
    with pytest.raises(ConfigurationError, match="PostgreSQL 9"):
        find_binaries("9", distribution=tmp_path / "none", path=str(tmp_path))


def test_a_server_that_runs_without_a_keeper_is_replaced(data: Path) -> None:
    with running_cluster(data, safe=False) as running:
        command = keeper.server_command(running.folder, find_binaries(), running.sockets, safe=False)
    stray = keeper.spawn(running.folder, command)
    assert keeper.answers(running.folder, stray)
    with running_cluster(data, safe=False) as again:
        assert stray.wait(30) == 0
        assert query(again, "SELECT 1") == 1


def test_an_initdb_that_fails_says_why(data: Path) -> None:
    with running_cluster(data, safe=False):
        pass
    with pytest.raises(ConfigurationError, match=r"(?s)initdb failed.*not empty"):
        module._initdb(folder_of(data), find_binaries(), safe=False)


def test_a_socket_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    long = tmp_path / ("long" * 30)
    long.mkdir()
    elsewhere = module._socket_folder(long)
    elsewhere.rmdir()
    elsewhere.symlink_to(tmp_path)
    with pytest.raises(ConfigurationError, match="belongs to somebody else"):
        module._socket_folder(long)
    elsewhere.unlink()


def test_a_long_path_gets_its_socket_elsewhere(tmp_path: Path) -> None:
    short, long = tmp_path / "short", tmp_path / ("long" * 30)
    short.mkdir()
    long.mkdir()
    assert module._socket_folder(short) == short / "socket"
    elsewhere = module._socket_folder(long)
    assert len(bytes(elsewhere / ".s.PGSQL.5432")) <= module.LONGEST_SOCKET
    assert elsewhere.stat().st_mode & 0o777 == 0o700
    elsewhere.rmdir()
