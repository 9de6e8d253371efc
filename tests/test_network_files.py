"""Files on a network, where calls that a disk grants are refused, and files change under a reader."""

import errno
import os
import stat
from pathlib import Path

import pytest

from run_folders import make_run
from trainrun.errors import StorageError
from trainrun.os_errors import explained
from trainrun.runs import files, lock
from trainrun.runs.cleaning import remove
from trainrun.runs.files import read_bytes, write_files
from trainrun.runs.lock import RunLock
from trainrun.runs.paths import RunPaths
from trainrun.runs.reading import find_runs

SILLY = ".nfs00000000000012340000000f"


def fails(code):
    def call(*_, **__):
        raise OSError(code, os.strerror(code))

    return call


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS])
def test_without_hard_links_the_old_file_is_kept_as_a_copy(tmp_path, monkeypatch, code):
    last, before = tmp_path / "last.ckpt", tmp_path / "prev.ckpt"
    last.write_bytes(b"one")
    monkeypatch.setattr(Path, "hardlink_to", fails(code))
    write_files({last: b"two"}, keep={last: before})
    assert (last.read_bytes(), before.read_bytes()) == (b"two", b"one")


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP])
def test_folders_that_know_no_fsync(tmp_path, monkeypatch, code):
    original = os.fsync

    def fsync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, "")
        original(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write_files({tmp_path / "a": b"a"})
    monkeypatch.setattr(os, "fsync", fails(code))
    with pytest.raises(StorageError, match="cannot be written"):
        write_files({tmp_path / "a": b"b"})
    assert (tmp_path / "a").read_bytes() == b"a"


def test_a_file_that_was_replaced_while_it_was_read_is_read_again(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"a")
    original, calls = files._size_of_regular, []

    def size(descriptor):
        calls.append(descriptor)
        if len(calls) < 3:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return original(descriptor)

    monkeypatch.setattr(files, "_size_of_regular", size)
    assert read_bytes(tmp_path / "a") == b"a"
    monkeypatch.setattr(files, "_size_of_regular", fails(errno.ESTALE))
    with pytest.raises(OSError, match="Stale file handle"):
        read_bytes(tmp_path / "a")


@pytest.mark.parametrize(
    "code", [errno.EDQUOT, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EREMOTEIO]
)
def test_a_server_that_fails_is_a_disk_that_fails(tmp_path, code):
    words = rf"a: cannot be written: {os.strerror(code)}$"
    with pytest.raises(StorageError, match=words) as caught, explained(tmp_path / "a"):
        fails(code)()
    assert caught.value.exit_code == 74


def test_removed_files_that_live_on_are_no_part_of_a_run(tmp_path):
    make_run(tmp_path, "net-0123abcd/seed-0")
    [run] = find_runs(tmp_path)
    silly = run.directory / SILLY
    silly.touch()
    with pytest.raises(StorageError, match="Directory not empty"):  # as long as it is open somewhere
        remove(run)
    assert list(run.directory.iterdir()) == [silly]
    silly.unlink()
    remove(run)
    assert not run.directory.parent.exists()


def test_after_locking_the_result_is_waited_for_that_others_have_written(tmp_path, monkeypatch):
    paths = RunPaths(tmp_path / "net-0123abcd" / "seed-0")
    paths.directory.mkdir(parents=True)
    paths.result.write_text("{}")
    monkeypatch.setenv("TRAINRUN_LOCKS", "flock")
    original, looks = Path.exists, []

    def exists(path):
        if path == paths.result and len(looks) < 3:
            looks.append(path)
            return False
        return original(path)

    monkeypatch.setattr(Path, "exists", exists)
    with RunLock(paths):
        assert len(looks) == 3


def test_a_result_that_is_never_seen_is_an_error(tmp_path, monkeypatch):
    paths = RunPaths(tmp_path / "net-0123abcd" / "seed-0")
    paths.directory.mkdir(parents=True)
    paths.result.symlink_to("nowhere")
    monkeypatch.setenv("TRAINRUN_LOCKS", "flock")
    monkeypatch.setattr(lock, "_LONGEST_CACHE", 0.2)
    with pytest.raises(StorageError, match=r"result\.json: is listed, but cannot be opened"):
        RunLock(paths)
    paths.result.unlink()
    RunLock(paths).release()  # nothing was left locked
