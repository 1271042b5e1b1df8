"""A short soak, and that its laws can be broken."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from ...utilities.lab import cloud, process, tenant, traffic
from ...utilities.lab.soak_actions import Actor
from ...utilities.lab.soak_laws import Laws
from ...utilities.lab.soak_model import Operation, State, Vpn
from ...utilities.lab.soak_other_rules import FOREIGN, list_translated
from .scene import TENANTS, Scene
from .site import SITE_HOST, SITE_SUBNET, Operator

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
    log.write_text("2026-01-01T00:00:00.000Z|00001|loop|ERR|something\n")
    assert "something" in laws.find_unexpected()
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


def test_chassis_that_does_not_leave_is_killed(operator: Operator) -> None:
    """Whether it hangs or is gone when it is asked, the soak goes on and says why."""
    actor = Actor(operator.lab, TENANTS, operator.psk_file)
    host = operator.host("hv3")
    cloud.kill_process(host, "svc-controller", signal.SIGSTOP)
    words = actor.do(Operation("leave", "hv3"))
    assert words.startswith("killed, since it had not left in time: it does not say")
    process.wait_until(lambda: not host.find_processes("svc-controller"), "the end")
    words = actor.do(Operation("leave", "hv3"))
    assert words.startswith("ended, since it had not left in time: it does not say")


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_rows_disturb_no_vpn(operator: Operator, name: str) -> None:
    actor = Actor(operator.lab, TENANTS, operator.psk_file)
    operator.add_vpn_and_wait()
    words = f"{name} 32764"
    actor.do(Operation("foreign-add", "1", words))
    try:
        operator.svcctl("--wait=hv", "sync")
        for guest in tenant.GUEST_HOSTS:
            traffic.wait_reachable(operator.lab, guest, SITE_HOST, 10)
    finally:
        actor.do(Operation("foreign-del", "1", words))
    assert operator.capture is not None
    translated = list_translated(tenant.FIRST).values()
    clear = traffic.format_clear(tenant.SUBNET, SITE_SUBNET, list(translated))
    assert operator.capture.count(clear) == 0
