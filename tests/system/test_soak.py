"""A short soak, and that its laws can be broken."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from ...utilities.lab.soak_laws import Laws
from ...utilities.lab.soak_model import State, Vpn
from .scene import TENANTS, Scene

CHECKOUT = Path(__file__).parents[2]
SEED = 7


def test_one_minute_of_soak_is_clean() -> None:
    done = subprocess.run(
        ["utilities/soak", "--minutes=0.7", f"--seed={SEED}"],
        cwd=CHECKOUT,
        env={**os.environ, "SVC_LAB_DIR": f"/run/ovnsvc-soak-{os.getpid()}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=115,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every law held" in done.stdout


def test_laws_see_what_breaks_them(scene: Scene) -> None:
    scene.begin("hv2", "vm1")
    operator = scene.operator
    laws = Laws(scene.lab, TENANTS, scene.containers)
    laws.find_unexpected()  # from here on
    host = operator.host("hv3")
    for make, unmake in (
        ("ip netns add vpn-12345678901", "ip netns delete vpn-12345678901"),
        ("ip link add vpn-1 type veth peer name vpn-2", "ip link delete vpn-1"),
        ("ovs-vsctl add-port br-int vpn-1", "ovs-vsctl del-port vpn-1"),
        ("ip netns add guest-of-nobody", "ip netns delete guest-of-nobody"),
    ):
        host.run(*make.split())
        assert "hv3" in laws.find_debris()
        host.run(*unmake.split())
        assert laws.find_debris() == ""
    log = host.directory / "var/log/ovnsvc/svc-test.log"
    log.write_text("2026-01-01T00:00:00.000Z | 1 | loop | ERR | unexpected failure\n")
    assert "unexpected failure" in laws.find_unexpected()
    log.unlink()
    drop = ("lr-policy-add", "router2", "1", "ip4.src == 192.0.2.1", "drop")
    central = operator.host("central")
    central.run("ovn-nbctl", *drop)
    key = "external_ids:ovnsvc-key=vpn-12345678901/drop"
    uuid = central.run(
        *("ovn-nbctl", "--bare", "--columns=_uuid", "find", "Logical_Router_Policy", "priority=1")
    )
    central.run("ovn-nbctl", "set", "Logical_Router_Policy", uuid.strip(), key)
    state = State((), (), (), {1: Vpn(), 2: Vpn()})
    assert "vpn-12345678901" in laws.find_stale_rows(state)
    central.run("ovn-nbctl", "lr-policy-del", "router2", "1")
    assert laws.find_stale_rows(state) == ""
    scene.end()
