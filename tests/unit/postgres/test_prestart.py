"""What happens before pg_autoctl starts: a stale pid file goes, and the self-fence is armed, once."""

import importlib.util
import os
import struct
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SPEC = importlib.util.spec_from_file_location("prestart", ROOT / "roles/postgres/files/prestart.py")
assert SPEC is not None and SPEC.loader is not None
prestart = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(prestart)


def state(contact: int = 0, version: int = 1) -> bytes:
    """A state file as pg_autoctl 2.2 writes it."""
    data = bytearray(1024)
    struct.pack_into("<iiII", data, 0, version, 1700, 1700, 202406281)
    struct.pack_into("<Q", data, 48, 1_790_000_000)
    struct.pack_into("<Q", data, 64, contact)
    return bytes(data)


@pytest.fixture
def data_directory(tmp_path: Path) -> Path:
    directory = tmp_path / "node"
    directory.mkdir()
    (directory / "postmaster.pid").write_text("96\n")
    return directory


def process(proc: Path, pid: int, works_in: Path) -> None:
    (proc / str(pid)).mkdir(parents=True)
    (proc / str(pid) / "cwd").symlink_to(works_in)


def test_a_pid_file_without_a_process_is_removed(tmp_path: Path, data_directory: Path) -> None:
    process(tmp_path / "proc", 96, Path("/"))  # the number is another process's now
    assert prestart.clear_stale_pidfile(data_directory, tmp_path / "proc")
    assert not (data_directory / "postmaster.pid").exists()


def test_a_running_postgres_keeps_its_pid_file(tmp_path: Path, data_directory: Path) -> None:
    process(tmp_path / "proc", 4711, data_directory)
    assert not prestart.clear_stale_pidfile(data_directory, tmp_path / "proc")
    assert (data_directory / "postmaster.pid").exists()


def test_without_a_pid_file_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert not prestart.clear_stale_pidfile(tmp_path, tmp_path / "proc")


def test_the_fence_is_armed_once(tmp_path: Path) -> None:
    path = tmp_path / "pg_autoctl.state"
    path.write_bytes(state())
    assert prestart.arm_fence(path, 1_795_000_000)
    assert path.read_bytes() == state(1_795_000_000)
    assert not prestart.arm_fence(path, 1_799_999_999)
    assert prestart.last_secondary_contact(path.read_bytes()) == 1_795_000_000


def test_a_node_that_is_not_created_yet_is_left_alone(tmp_path: Path) -> None:
    assert not prestart.arm_fence(tmp_path / "pg_autoctl.state", 1)


@pytest.mark.parametrize("content", [state()[:100], state(version=2)])
def test_an_unknown_layout_is_refused_and_not_touched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pg_autoctl.state"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="instead of"):
        prestart.arm_fence(path, 1)
    assert path.read_bytes() == content


def test_the_state_file_is_where_pg_autoctl_keeps_it() -> None:
    found = prestart.state_file(Path("/var/lib/postgresql/17/node"), Path("/var/lib/postgresql"))
    assert os.fspath(found) == (
        "/var/lib/postgresql/.local/share/pg_autoctl/var/lib/postgresql/17/node/pg_autoctl.state"
    )
