"""The logs of a chassis with a real charon have the names that people know, and outlive it."""

from __future__ import annotations

import re

import pytest

from .ovsdb import wait_until
from .rig import A, B, Rig, connect

pytestmark = [pytest.mark.system, pytest.mark.timeout(90)]


def test_names_that_people_know_are_in_the_logs(tunnel: Rig) -> None:
    """A name stays what it was while the tunnel does, and is told when that comes and goes."""
    name = connect(A, B)["name"]
    log = tunnel.directory / "log/containers" / f"{A.name}.log"
    ours = [line for line in log.read_text().splitlines() if name in line]
    assert [line for line in ours if re.search(rf"<{name}~\S+\|1> IKE_SA {name}~\S+ establ", line)]
    assert [line for line in ours if re.search(r"\|1> CHILD_SA \S+ established", line)]
    assert f"|tunnel|INFO|{name}: up, {A.outer} to {B.outer}\n" in tunnel.read_log()
    charons, since = tunnel.find_charons(), tunnel.tunnel(A)["since"]
    tunnel.bind(A, connect(A, B, name="venus/to-mars"))
    tunnel.wait_running(A)
    tunnel.end_controller()
    tunnel.start_controller()
    wait_until(lambda: "|tunnel|INFO|venus/to-mars: up, " in tunnel.read_log(), "the new name")
    assert tunnel.find_charons() == charons
    assert tunnel.tunnel(A)["since"] == since
    tunnel.unbind(A)
    down = f"|tunnel|INFO|{B.name}/to-{A.name}: down, "
    wait_until(lambda: down in tunnel.read_log(), "the word of the end")
    wait_until(lambda: not log.exists(), "the container to go")
    [kept] = (log.parent / "past").iterdir()
    assert name in kept.read_text()
