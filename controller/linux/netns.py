"""Network namespaces as 'ip netns' keeps them: a file under /run/netns.

'entered' puts the one thread of svc-controller into a namespace for as long
as it takes to open a socket, read a sysctl or start a program there; what was
opened stays there.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Iterable, Iterator

import pyroute2.netns

from ...lib.errors import HostError
from ..name import check_name

DIRECTORY = "/run/netns"

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def find_path(name: str) -> str:
    """Returns the file of namespace 'name'; raises HostError if it is no name."""
    return os.path.join(DIRECTORY, check_name(name))


def find_inode(name: str) -> int | None:
    """Returns the inode number of namespace 'name'; None if it is not a namespace.

    A namespace whose removal was cut short leaves a plain file behind.
    """
    try:
        there = os.stat(find_path(name))
    except OSError:
        return None
    own = os.stat("/proc/thread-self/ns/net")
    return there.st_ino if there.st_dev == own.st_dev else None


def exists(name: str) -> bool:
    """Returns whether there is a file of that name, a namespace or not."""
    return os.path.lexists(find_path(name))


def find_inodes(names: Iterable[str]) -> dict[str, int]:
    """Returns the inode numbers of those of 'names', which can be names, that are namespaces."""
    device = os.stat("/proc/thread-self/ns/net").st_dev
    found: dict[str, int] = {}
    for name in names:
        with contextlib.suppress(OSError):
            there = os.stat(f"{DIRECTORY}/{name}")
            if there.st_dev == device:
                found[name] = there.st_ino
    return found


def find_names() -> set[str]:
    """Returns the names under /run/netns, namespaces or not."""
    try:
        return set(os.listdir(DIRECTORY))
    except FileNotFoundError:
        return set()


def find_change_ns() -> int:
    """Returns a number that changes when a namespace comes or goes."""
    try:
        return os.stat(DIRECTORY).st_mtime_ns
    except FileNotFoundError:
        return 0


def create(name: str) -> None:
    """Makes namespace 'name', in place of the rest of one that was half removed."""
    if find_inode(name) is not None:
        return
    remove(name)
    try:
        pyroute2.netns.create(name)
    except OSError as error:
        raise HostError(f"namespace {name} cannot be made: {error}") from error
    if find_inode(name) is None:
        raise HostError(f"namespace {name} cannot be made: is svc-controller root?")


def remove(name: str) -> None:
    """Removes the name; the namespace goes when no process is in it any more."""
    path = find_path(name)
    for _ in range(16):  # mounts can be stacked
        if not os.path.lexists(path):
            return
        if _libc.umount2(os.fsencode(path), 2) != 0 and ctypes.get_errno() in (
            errno.EINVAL,
            errno.ENOENT,
        ):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
    raise HostError(f"namespace {name} cannot be removed")


@contextlib.contextmanager
def entered(name: str) -> Iterator[None]:
    """Is in namespace 'name' within the context; raises HostError if it is not there."""
    try:
        inside = os.open(find_path(name), os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise HostError(f"namespace {name} cannot be opened: {error}") from error
    outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(inside, name)
        try:
            yield
        finally:
            _enter(outside, "of svc-controller")
    finally:
        os.close(inside)
        os.close(outside)


def _enter(descriptor: int, name: str) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise HostError(f"namespace {name} cannot be entered: {reason}")
