"""What is wrong on the host of a svc-northd, in sentences: disks, and keys for TLS."""

from __future__ import annotations

import ovs.vlog

from ..lib import dirs
from ..lib.disks import Disks
from ..lib.expiry import Expiry

vlog = ovs.vlog.Vlog("host_problems")


class HostProblems:
    """Looks now and then, and logs what it finds: where no row can be written the log has it."""

    def __init__(self) -> None:
        # The databases are on this host, or the directory is not there.
        self._disks = Disks((dirs.RUNDIR, dirs.LOGDIR, dirs.DBDIR))
        self._told_disks: tuple[str, ...] = ()
        self._expiry = Expiry()

    def find(self, clock_ms: int, now_s: float) -> list[str]:
        """Returns the sentences; 'clock_ms' is monotonic, 'now_s' the wall clock."""
        full = self._disks.find_full(clock_ms)
        for each in full if full != self._told_disks else ():
            vlog.warn(each)
        self._told_disks = full
        return [*full, *self._expiry.find_warnings(clock_ms, now_s)]
