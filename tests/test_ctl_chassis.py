"""failover-now and chassis-del: what an operator says of chassis that are silent."""

from __future__ import annotations

from .ovsdb import Databases
from .svcctl import Svcctl


def test_failover_now_is_for_what_is_held_and_for_nothing_later(
    svcctl: Svcctl, databases: Databases
) -> None:
    svcctl.good("init")
    before = databases.nb.dump()
    run = svcctl("failover-now")
    assert (run.status, run.stdout) == (0, "")
    assert run.stderr.endswith("no new places are held: nothing is to be done\n")
    assert databases.nb.dump() == before
    databases.nb.update("SVC_Global", [], mass_failure_cfg=3)
    assert svcctl.good("failover-now") == ""
    [root] = databases.nb.rows("SVC_Global")
    assert root["failover_cfg"] == 3
    before = databases.nb.dump()
    assert svcctl.good("failover-now") == ""
    assert databases.nb.dump() == before
