"""svcctl on a remote for who is only to look, as that of a monitoring system."""

from __future__ import annotations

import pytest

from ..lib.northd_lock import SOUTHBOUND_KEY
from .ovsdb import Databases
from .rig import to_map
from .svcctl import Svcctl
from .test_read_only import open_reader_port


@pytest.mark.parametrize("command", ["status", "vpn-list", "chassis-list"])
def test_svcctl_tells_there_what_it_tells_elsewhere(
    databases: Databases, svcctl: Svcctl, command: str
) -> None:
    # Lists ask whether a svc-northd is at work once one ever was.
    ids = {SOUTHBOUND_KEY: "0"}
    databases.nb.update("SVC_Global", [], external_ids=to_map(ids))
    remote = f"--db=tcp:127.0.0.1:{open_reader_port(databases, svcctl)}"
    there = svcctl(remote, command)
    assert "lock" not in there.stderr
    elsewhere = svcctl(command)
    assert (there.status, there.stdout) == (elsewhere.status, elsewhere.stdout)
    assert there.stdout


def test_where_the_southbound_is_not_reached_svcctl_says_what_it_does_not_know(
    databases: Databases, svcctl: Svcctl
) -> None:
    remote = f"--db=tcp:127.0.0.1:{open_reader_port(databases, svcctl)}"
    told = svcctl(remote, "--sb-db=unix:/none/svcsb_db.sock", "status")
    assert told.status == 2
    assert "SVC_Southbound: not reached from here (--sb-db, SVC_SB_DB), so that it" in told.stdout
