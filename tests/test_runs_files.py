"""Atomic writing, appending and JSON."""

import json
import math
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from trainrun.errors import ResourceError, RunDirectoryError, StorageError
from trainrun.jsonio import to_json, to_json_file
from trainrun.runs.files import (
    append,
    make_directory,
    read_bytes,
    remove_temporaries,
    sync,
    write_files,
    write_out,
)


@pytest.fixture
def largest_file() -> Iterator[None]:
    """No file may grow beyond 1,000 bytes, as on a full disk (Python ignores SIGXFSZ)."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_files_are_written_whole_and_leave_nothing_beside(tmp_path):
    contents = {tmp_path / "a": b"x" * 100_000, tmp_path / "b": b""}
    write_files(contents)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == contents


def test_a_failed_write_keeps_every_old_file(tmp_path, largest_file):
    old = {tmp_path / "a": b"old a", tmp_path / "b": b"old b"}
    write_files(old)
    with pytest.raises(StorageError, match=r"b: cannot be written: File too large"):
        write_files({tmp_path / "a": b"new", tmp_path / "b": b"x" * 5000})
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == old


def test_a_file_that_is_replaced_may_be_kept_under_another_name(tmp_path):
    target, kept = tmp_path / "last", tmp_path / "prev"
    for text in (b"one", b"two", b"three"):
        write_files({target: text}, keep={target: kept})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"last": b"three", "prev": b"two"}


def test_what_is_temporary_may_lie_in_another_folder(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "shared" / "taken").mkdir(parents=True)
    contents = {tmp_path / "shared" / "new": b"x", tmp_path / "shared" / "taken": b"y"}
    with pytest.raises(StorageError, match=r"shared/taken: cannot be written: Is a directory"):
        write_files(contents, staging=tmp_path / "mine")
    assert not list((tmp_path / "mine").iterdir())
    assert (tmp_path / "shared" / "new").read_bytes() == b"x"


def test_what_a_kill_left_is_removed_and_nothing_else(tmp_path):
    stale, others = ".last.ckpt.0123456789ab.tmp", {".lock", "last.ckpt", "notes.tmp", ".a.0123456789AB.tmp"}
    for name in {stale} | others:
        (tmp_path / name).touch()
    remove_temporaries(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == others


def test_a_link_is_replaced_and_not_written_through(tmp_path):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "a").symlink_to(tmp_path / "precious")
    write_files({tmp_path / "a": b"new"})
    assert (tmp_path / "precious").read_text() == "precious"
    assert not (tmp_path / "a").is_symlink()


def test_a_file_that_a_user_named_may_be_a_link_or_a_device(tmp_path, largest_file):
    (tmp_path / "link").symlink_to(tmp_path / "named")
    write_out(tmp_path / "link", "a")
    write_out(tmp_path / "named", "b")
    assert (tmp_path / "link").read_text() == "b"
    write_out(Path(os.devnull), "c")
    assert Path(os.devnull).is_char_device()
    with pytest.raises(StorageError, match="/dev/full: cannot be written: No space left on device"):
        write_out(Path("/dev/full"), "d")
    with pytest.raises(StorageError, match="cannot be written: Is a directory"):
        write_out(tmp_path, "e")


def test_running_out_of_descriptors_is_said_so(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        with pytest.raises(ResourceError, match="Too many open files"):
            write_files({tmp_path / "a": b""})
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_appending_adds_lines(tmp_path):
    append(tmp_path / "log", "one\n")
    append(tmp_path / "log", "two\n")
    sync([tmp_path / "log"])
    assert (tmp_path / "log").read_text() == "one\ntwo\n"


def test_a_torn_line_spoils_itself_alone(tmp_path):
    (tmp_path / "log").write_text('one\n{"half')
    append(tmp_path / "log", "two\n")
    assert (tmp_path / "log").read_text() == 'one\n{"half\ntwo\n'


def test_appending_to_a_full_disk_is_an_error(tmp_path, largest_file):
    with pytest.raises(StorageError, match=r"log: cannot be written"):
        append(tmp_path / "log", "x" * 5000)


def test_a_directory_that_cannot_be_made_is_said_so(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunDirectoryError, match=r"file/run: cannot be created: Not a directory"):
        make_directory(tmp_path / "file" / "run")


def test_a_link_is_not_read(tmp_path):
    (tmp_path / "precious").touch()
    (tmp_path / "result.json").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic links"):
        read_bytes(tmp_path / "result.json")


def test_a_file_beyond_the_limit_is_not_read(tmp_path):
    (tmp_path / "result.json").write_bytes(b"12345")
    assert read_bytes(tmp_path / "result.json", 5) == b"12345"
    with pytest.raises(OSError, match="larger than any"):
        read_bytes(tmp_path / "result.json", 4)


def test_a_pipe_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "result.json")
    with pytest.raises(OSError, match="regular file"):
        read_bytes(tmp_path / "result.json")


def test_json_knows_numpy_paths_and_nothing_beyond_finite_numbers():
    value = {
        "b": np.float32(0.5),
        "a": np.arange(2),
        "c": [math.nan, math.inf, np.float64("nan")],
        "d": Path("x"),
    }
    assert to_json(value) == '{"b": 0.5, "a": [0, 1], "c": [null, null, null], "d": "x"}'


def test_json_is_plain_text_whatever_names_hold():
    text = to_json({"\u2028\x1b[31m": "\ud800"})
    assert text.isascii()
    assert text.isprintable()


def test_a_json_file_has_a_key_a_line():
    value = {"z": {"nested": [1, 2]}, "a": None}
    text = to_json_file(value).decode()
    assert text == '{\n  "z": {"nested": [1, 2]},\n  "a": null\n}\n'
    assert json.loads(text) == value
