"""File systems: whether `flock` on a folder counts on every machine that sees it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal

from trainrun.errors import UsageError
from trainrun.text import short

Reach = Literal["local", "shared", "unknown"]
_MOUNTS = Path("/proc/self/mountinfo")
_LOCAL = {
    *("aufs", "bcachefs", "btrfs", "erofs", "exfat", "ext2", "ext3", "ext4", "f2fs", "fuse.fuse-overlayfs"),
    *("fuseblk", "hfsplus", "jfs", "nilfs2", "ntfs3", "overlay", "ramfs", "reiserfs", "rootfs", "squashfs"),
    *("tmpfs", "ubifs", "udf", "vfat", "xfs", "zfs"),
}
# Each of these takes `flock` to its servers, unless an option keeps it on the machine.
_SHARED = {
    "ceph": set[str](),
    "gfs2": {"localflocks", "lockproto=lock_nolock"},
    "gpfs": set[str](),
    "nfs": {"nolock", "local_lock=all", "local_lock=flock"},
    "nfs4": {"nolock", "local_lock=all", "local_lock=flock"},
    "ocfs2": {"localflocks"},
}
_ESCAPED = re.compile(r"\\([0-7]{3})")


def reach_of_flock(folder: Path) -> Reach:
    """Return how far `flock` on a folder reaches; `$TRAINRUN_LOCKS` overrides what the mount says.

    Args:
        folder: that exists.

    Returns:
        `local`: one machine alone sees the folder; `shared`: it counts on all machines; `unknown`: it may
        be refused, or count on this machine only.

    Raises:
        UsageError: the variable is invalid.
        OSError: the folder cannot be looked at.
    """
    asked = os.environ.get("TRAINRUN_LOCKS", "auto")
    if asked not in ("auto", "flock", "lease"):
        raise UsageError(f"TRAINRUN_LOCKS: must be auto, flock or lease, got {short(asked)}")
    if asked != "auto":
        return "shared" if asked == "flock" else "unknown"
    return _reach_of_device(folder.stat().st_dev, folder)


_reaches: dict[int, Reach] = {}


def _reach_of_device(device: int, folder: Path) -> Reach:
    """Look at the mounts once for each file system: a command locks thousands of runs in one folder."""
    if device not in _reaches:
        _reaches[device] = reach_of_mount(*mount_of(folder))
    return _reaches[device]


def reach_of_mount(kind: str, options: set[str]) -> Reach:
    """Return how far `flock` reaches on a mount.

    Args:
        kind: of file system, as the kernel names it; empty where it says nothing.
        options: of the mount.
    """
    if not kind or kind in _LOCAL:
        return "local"
    if kind == "lustre":
        return "shared" if "flock" in options else "unknown"
    if kind in _SHARED and not options & _SHARED[kind]:
        return "shared"
    return "unknown"


def mount_of(folder: Path) -> tuple[str, set[str]]:
    """Return the kind of file system that a folder is on, and its options; empty where nothing tells."""
    real = str(folder.resolve())
    found: tuple[int, str, set[str]] = (0, "", set())
    for point, kind, options in _mounts():
        is_below = real == point or real.startswith(point.rstrip("/") + "/")
        if is_below and len(point) >= found[0]:  # of two at one place, the later covers the other
            found = (len(point), kind, options)
    return found[1], found[2]


def _mounts() -> list[tuple[str, str, set[str]]]:
    """Read the place, kind and options of each mount; none on systems other than Linux."""
    try:
        lines = _MOUNTS.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return []
    mounts = []
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, facts = before.split(" "), after.split(" ")
        point = _ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields[4])
        mounts.append((point, facts[0], {*fields[5].split(","), *facts[-1].split(",")}))
    return mounts
