"""A shared folder as a network file system gives it, mounted through FUSE without any library.

Each mount stands for a machine. It keeps what it has seen for a while, it answers late, and it forgets a file
that another mount has replaced (ESTALE). A file that is removed while it is open lives on as `.nfs...`.
`flock` is taken to the folder behind, refused, or kept in the mount, as the options say.

Run as a program it serves one mount until that is unmounted: FOLDER MOUNT OPTIONS, the last one as JSON.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import random
import stat
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

# Names and layouts of linux/fuse.h.
(LOOKUP, FORGET, GETATTR, SETATTR, MKDIR, UNLINK, RMDIR, RENAME, LINK, OPEN, READ, WRITE) = (
    *(1, 2, 3, 4, 9, 10, 11, 12, 13, 14, 15, 16),
)
(STATFS, RELEASE, FSYNC, FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR, FSYNCDIR, SETLK, CREATE) = (
    *(17, 18, 20, 25, 26, 27, 28, 29, 30, 32, 35),
)
INTERRUPT, DESTROY, BATCH_FORGET, RENAME2 = 36, 38, 42, 45
UNANSWERED = {FORGET, INTERRUPT, BATCH_FORGET}
CHANGES = {SETATTR, MKDIR, LINK, RENAME, RENAME2, WRITE, FSYNC, FLUSH, CREATE}
HEADER = struct.Struct("<IIQQIIIHH")
ATTRIBUTES = struct.Struct("<6Q10I")
FLOCK_LOCKS, BIG_WRITES = 1 << 10, 1 << 5
MODE, SIZE, HANDLE = 1, 8, 64
UNLOCK = 2
ROOT = 1
MOST = 2**17  # bytes of a write


def is_supported() -> bool:
    """Return whether the kernel takes file systems of programs, which no package can add."""
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError:
        return False
    return True


@contextmanager
def shared_folder(folder: Path, place: Path, **options: Any) -> Iterator[Switch]:
    """Mount a folder at another place.

    Args:
        folder: that several mounts share.
        place: of the mount; created.
        options: `flock`: forward, local, or the name of an error; `cache`: seconds; `delay`: the most seconds
            that an answer may take.
    """
    place.mkdir()
    switch = Switch(place.with_name(f"{place.name}.switch"))
    words = [sys.executable, __file__, str(folder), str(place), json.dumps(options)]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout.readline() == "mounted\n"
        yield switch
    finally:
        switch.back()
        subprocess.run(["umount", "-l", place], check=True)
        server.stdout.close()
        server.terminate()
        server.wait()


class Switch:
    """Breaks a mount for a while, through a file that its server looks at."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def away(self, error: str, *, for_changes: bool = False) -> None:
        """Have each request, or each that changes something, answered with an error."""
        self.path.write_text(f"{error} {for_changes:d}")

    def back(self) -> None:
        """Undo it."""
        self.path.unlink(missing_ok=True)


class Server:
    """Serves one mount."""

    def __init__(self, folder: str, place: str, options: dict[str, Any]) -> None:
        self.device = os.open("/dev/fuse", os.O_RDWR)
        self.switch = f"{place}.switch"
        self.flock = options.get("flock", "forward")
        self.cache, self.delay = options.get("cache", 0.0), options.get("delay", 0.0)
        self.nodes: dict[int, tuple[str, int]] = {ROOT: (folder, os.stat(folder).st_ino)}
        self.numbers = {self.nodes[ROOT]: ROOT}
        self.handles: dict[int, int] = {}  # handle: node
        self.hidden: dict[int, str] = {}  # node: path of what was removed while it was open
        self.lists: dict[int, list[os.DirEntry[str]]] = {}
        self.next = ROOT + 1
        self.lock = threading.Lock()
        text = f"fd={self.device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
        if ctypes.CDLL(None, use_errno=True).mount(b"shared", place.encode(), b"fuse.shared", 0, text):
            raise OSError(ctypes.get_errno(), "mount")

    def serve(self) -> None:
        """Answer until the end; several at once, so that answers change their order."""
        with suppress(OSError):
            while request := os.read(self.device, MOST + 4096):
                threading.Thread(target=self.answer, args=(request,), daemon=True).start()

    def answer(self, request: bytes) -> None:
        """Answer a request."""
        _, code, unique, node, *_ = HEADER.unpack_from(request)
        if code in UNANSWERED:
            return
        if self.delay:
            time.sleep(random.random() * self.delay)
        try:
            self.break_down(code)
            with self.lock:
                answer, problem = self.carry_out(code, node, request[HEADER.size :]), 0
        except OSError as error:
            answer, problem = b"", error.errno
        with suppress(OSError):
            os.write(self.device, struct.pack("<IiQ", 16 + len(answer), -problem, unique) + answer)

    def break_down(self, code: int) -> None:
        """Fail if the mount is switched off."""
        try:
            error, for_changes = Path(self.switch).read_text().split()
        except (OSError, ValueError):
            return
        if code not in (INIT, RELEASE, RELEASEDIR) and (for_changes == "0" or code in CHANGES):
            raise OSError(getattr(errno, error), error)

    def carry_out(self, code: int, node: int, body: bytes) -> bytes:
        """Return the answer to a request."""
        does: dict[int, Callable[[int, bytes], bytes]] = {
            LOOKUP: self.look_up,
            GETATTR: self.get,
            SETATTR: self.set,
            MKDIR: self.make,
            CREATE: self.create,
            UNLINK: self.unlink,
            RMDIR: self.rmdir,
            RENAME: self.rename,
            RENAME2: self.rename2,
            LINK: self.link,
            OPEN: self.open,
            READ: self.read,
            WRITE: self.write,
            RELEASE: self.release,
            FSYNC: self.sync,
            FLUSH: nothing,
            INIT: self.init,
            OPENDIR: self.open_list,
            READDIR: self.list,
            RELEASEDIR: self.close_list,
            FSYNCDIR: nothing,
            SETLK: self.set_lock,
            STATFS: statfs,
            DESTROY: nothing,
        }
        if code not in does:
            raise OSError(errno.ENOSYS, "")
        return does[code](node, body)

    def path(self, node: int) -> str:
        """The path of a file that is still the one that it was."""
        path, inode = self.nodes[node]
        try:
            if os.lstat(path).st_ino == inode:
                return path
        except FileNotFoundError:
            pass
        raise OSError(errno.ESTALE, "")

    def entry(self, path: str) -> bytes:
        facts = os.lstat(path)
        key = (path, facts.st_ino)
        if key not in self.numbers:
            self.numbers[key], self.next = self.next, self.next + 1
            self.nodes[self.numbers[key]] = key
        return struct.pack("<4Q2I", self.numbers[key], 0, *self.times(), *self.times(nano=True)) + attributes(
            facts
        )

    def times(self, *, nano: bool = False) -> tuple[int, int]:
        part = int(self.cache % 1 * 1e9) if nano else int(self.cache)
        return part, part

    def child(self, node: int, name: bytes) -> str:
        return os.path.join(self.path(node), os.fsdecode(name.rstrip(b"\0")))

    def init(self, _: int, body: bytes) -> bytes:
        _, minor, readahead, _ = struct.unpack_from("<4I", body)
        flags = BIG_WRITES | (0 if self.flock == "local" else FLOCK_LOCKS)
        return struct.pack(
            "<4I2H2I2H8I", 7, min(minor, 31), readahead, flags, 16, 12, MOST, 1, 0, 0, *[0] * 8
        )

    def look_up(self, node: int, body: bytes) -> bytes:
        try:
            return self.entry(self.child(node, body))
        except FileNotFoundError:  # that there is none is kept for a while, too
            return struct.pack("<4Q2I", 0, 0, *self.times(), *self.times(nano=True)) + bytes(88)

    def get(self, node: int, body: bytes) -> bytes:
        flags, _, handle = struct.unpack_from("<IIQ", body)
        facts = os.fstat(handle) if flags & 1 else os.lstat(self.path(node))
        return struct.pack("<QII", self.times()[0], self.times(nano=True)[0], 0) + attributes(facts)

    def set(self, node: int, body: bytes) -> bytes:
        valid, _, handle, size, *_ = struct.unpack_from("<IIQQ", body)
        where = handle if valid & HANDLE else self.path(node)
        if valid & SIZE:
            os.truncate(where, size)
        if valid & MODE:
            os.chmod(where, stat.S_IMODE(struct.unpack_from("<I", body, 68)[0]))
        return self.get(node, struct.pack("<IIQ", bool(valid & HANDLE), 0, handle))

    def make(self, node: int, body: bytes) -> bytes:
        path = self.child(node, body[8:])
        os.mkdir(path, struct.unpack_from("<I", body)[0])
        return self.entry(path)

    def create(self, node: int, body: bytes) -> bytes:
        flags, mode = struct.unpack_from("<II", body)
        path = self.child(node, body[16:])
        handle = os.open(path, flags | os.O_CREAT, mode)
        entry = self.entry(path)
        self.handles[handle] = struct.unpack_from("<Q", entry)[0]
        return entry + struct.pack("<QIi", handle, 0, 0)

    def open(self, node: int, body: bytes) -> bytes:
        flags = struct.unpack_from("<I", body)[0] & ~(os.O_NOFOLLOW | os.O_APPEND)
        handle = os.open(self.path(node), flags)
        self.handles[handle] = node
        return struct.pack("<QIi", handle, 0, 0)

    def of_handle(self, handle: int) -> int:
        """A handle of a file that no other mount has removed."""
        if os.fstat(handle).st_nlink == 0:
            raise OSError(errno.ESTALE, "")
        return handle

    def read(self, _: int, body: bytes) -> bytes:
        handle, offset, size = struct.unpack_from("<QQI", body)
        return os.pread(self.of_handle(handle), size, offset)

    def write(self, _: int, body: bytes) -> bytes:
        handle, offset, _ = struct.unpack_from("<QQI", body)
        return struct.pack("<II", os.pwrite(self.of_handle(handle), body[40:], offset), 0)

    def sync(self, _: int, body: bytes) -> bytes:
        self.of_handle(struct.unpack_from("<Q", body)[0])
        return b""

    def release(self, node: int, body: bytes) -> bytes:
        handle = struct.unpack_from("<Q", body)[0]
        del self.handles[handle]
        os.close(handle)
        if node in self.hidden and node not in self.handles.values():
            with suppress(FileNotFoundError):
                os.unlink(self.hidden.pop(node))
        return b""

    def hide(self, path: str) -> bool:
        """Rename what is open here instead of removing it."""
        try:
            node = self.numbers.get((path, os.lstat(path).st_ino))
        except FileNotFoundError:
            return False
        if node is None or node not in self.handles.values():
            return False
        away = os.path.join(os.path.dirname(path), f".nfs{node:024x}")
        os.rename(path, away)
        self.moved(path, away)
        self.hidden[node] = away
        return True

    def moved(self, old: str, new: str) -> None:
        """Go on with the same nodes under a new name."""
        for node, (path, inode) in list(self.nodes.items()):
            if path == old or path.startswith(old + "/"):
                self.numbers.pop((path, inode), None)
                self.nodes[node] = (new + path[len(old) :], inode)
                self.numbers[self.nodes[node]] = node

    def unlink(self, node: int, body: bytes) -> bytes:
        path = self.child(node, body)
        if not self.hide(path):
            os.unlink(path)
        return b""

    def rmdir(self, node: int, body: bytes) -> bytes:
        os.rmdir(self.child(node, body))
        return b""

    def rename(self, node: int, body: bytes, start: int = 8) -> bytes:
        old, new = body[start:].rstrip(b"\0").split(b"\0")
        source, target = self.child(node, old), self.child(struct.unpack_from("<Q", body)[0], new)
        os.lstat(source)
        self.hide(target)
        os.rename(source, target)
        self.moved(source, target)
        return b""

    def rename2(self, node: int, body: bytes) -> bytes:
        return self.rename(node, body, 16)

    def link(self, node: int, body: bytes) -> bytes:
        path = self.child(node, body[8:])
        os.link(self.path(struct.unpack_from("<Q", body)[0]), path)
        return self.entry(path)

    def open_list(self, node: int, _: bytes) -> bytes:
        handle = os.open(self.path(node), os.O_RDONLY)
        with os.scandir(handle) as entries:
            self.lists[handle] = list(entries)
        return struct.pack("<QIi", handle, 0, 0)

    def list(self, _: int, body: bytes) -> bytes:
        handle, offset, size = struct.unpack_from("<QQI", body)
        answer = b""
        for number, entry in list(enumerate(self.lists[handle], 1))[offset:]:
            name = os.fsencode(entry.name)
            kind = 4 if entry.is_dir(follow_symlinks=False) else 8
            row = struct.pack("<QQII", entry.inode(), number, len(name), kind) + name
            row += bytes(-len(row) % 8)
            if len(answer) + len(row) > size:
                break
            answer += row
        return answer

    def close_list(self, _: int, body: bytes) -> bytes:
        handle = struct.unpack_from("<Q", body)[0]
        del self.lists[handle]
        os.close(handle)
        return b""

    def set_lock(self, _: int, body: bytes) -> bytes:
        if self.flock != "forward":
            raise OSError(getattr(errno, self.flock), "")
        handle, kind = struct.unpack_from("<Q24xI", body)
        fcntl.flock(handle, fcntl.LOCK_UN if kind == UNLOCK else fcntl.LOCK_EX | fcntl.LOCK_NB)
        return b""


def attributes(facts: os.stat_result) -> bytes:
    """The facts about a file, as the kernel has them."""
    times = (facts.st_atime_ns, facts.st_mtime_ns, facts.st_ctime_ns)
    return ATTRIBUTES.pack(
        *(facts.st_ino, facts.st_size, facts.st_blocks),
        *(time // 10**9 for time in times),
        *(time % 10**9 for time in times),
        *(facts.st_mode, facts.st_nlink, facts.st_uid, facts.st_gid, 0, 4096, 0),
    )


def nothing(_: int, __: bytes) -> bytes:
    return b""


def statfs(_: int, __: bytes) -> bytes:
    return struct.pack("<5Q4I24x", 10**6, 10**6, 10**6, 10**6, 10**6, 4096, 255, 4096, 0)


if __name__ == "__main__":
    server = Server(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
    print("mounted", flush=True)
    server.serve()
