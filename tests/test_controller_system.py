"""svc-controller on a real kernel with real charons: what must be seen of a chassis."""

from __future__ import annotations

import json
import re
import shutil
import signal
import uuid
from collections.abc import Callable

import pytest

from ..lib import sealing
from ..services.ipsec.proposals import make_esp_proposals
from .ovsdb import wait_until
from .rig import A, B, Rig, Side, connect, ping

pytestmark = [pytest.mark.system, pytest.mark.timeout(90)]

NOWHERE = Side(99)


def test_tunnel_carries_packets(tunnel: Rig) -> None:
    assert " 0% packet loss" in ping(tunnel)
    row = tunnel.tunnel(A)
    detail = dict(row["detail"][1])
    assert detail["ike_algorithms"] == "IKEv2 AES_CBC_128/HMAC_SHA2_256_128/MODP_2048"
    assert detail["esp_algorithms"] == "ESP AES_CBC_128/HMAC_SHA2_256_128"
    # There is no ESP but in user space here, and libipsec puts it into UDP.
    assert detail["encapsulation"] == "UDP (kernel-libipsec of this chassis)"
    assert (detail["opened_by"], detail.get("nat")) == ("this side", None)
    moments = (detail["ike_rekeyed_at"], detail["esp_rekeyed_at"], detail["esp_ends_at"])
    assert sorted(moments) == [moments[1], moments[2], moments[0]]
    assert row["message"] == ""
    wait_until(
        lambda: dict(tunnel.tunnel(A)["counters"][1])["packets_out"] > 0, "counters", timeout_s=30
    )


def test_charon_killed(tunnel: Rig) -> None:
    old = tunnel.find_charons()[A.name]
    tunnel.run("kill", "-9", str(old))
    wait_until(lambda: tunnel.binding(A)["restarts"] == 1, "the restart", timeout_s=3)
    tunnel.wait_running(A)
    assert tunnel.binding(A)["status_message"] == "charon was killed by signal 9; restarted"
    assert tunnel.find_charons()[A.name] != old
    tunnel.wait_tunnel(A, "up")
    assert " 0% packet loss" in ping(tunnel)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_controller_restarted(tunnel: Rig, number: signal.Signals) -> None:
    charons, row = tunnel.find_charons(), tunnel.tunnel(A)
    binding = tunnel.binding(A)
    tunnel.end_controller(number)
    assert tunnel.find_charons() == charons
    assert " 0% packet loss" in ping(tunnel)
    before = tunnel.sb.rows("Chassis_Private")[0]["incarnation"]
    tunnel.start_controller()
    wait_until(lambda: tunnel.sb.rows("Chassis_Private")[0]["incarnation"] != before, "the new one")
    # What changed meanwhile is applied, and nothing else: the third container is the sign.
    third = Side(12)
    tunnel.bind(third, connect(third, NOWHERE))
    tunnel.wait_running(third)
    charons[third.name] = tunnel.find_charons()[third.name]
    assert tunnel.find_charons() == charons
    assert tunnel.binding(A)["since"] == binding["since"]
    assert tunnel.tunnel(A)["since"] == row["since"]
    assert tunnel.tunnel(A)["state"] == "up"
    assert " 0% packet loss" in ping(tunnel)
    log = (tunnel.directory / "log/containers" / f"{A.name}.log").read_text()
    assert len(re.findall(r"IKE_SA \S+ established", log)) == 1
    assert len(re.findall("loaded IKE shared key", log)) == 1
    assert len(re.findall("added vici connection", log)) == 1


def test_charon_killed_while_controller_is_away(tunnel: Rig) -> None:
    tunnel.end_controller()
    tunnel.run("kill", "-9", str(tunnel.find_charons()[A.name]))
    tunnel.start_controller()
    wait_until(lambda: A.name in tunnel.find_charons(), "charon again")
    tunnel.wait_tunnel(A, "up")


def test_state_directory_removed_and_charon_killed(tunnel: Rig) -> None:
    """Whatever a service meets, the chassis lives and the container is made whole."""
    old = tunnel.find_charons()[A.name]
    shutil.rmtree(tunnel.directory / "containers" / A.name)
    tunnel.run("kill", "-9", str(old))
    wait_until(lambda: tunnel.find_charons().get(A.name, old) != old, "a new charon")
    tunnel.wait_tunnel(A, "up")
    wait_until(lambda: " 0% packet loss" in ping(tunnel), "a packet to come through")
    beats = tunnel.sb.rows("Chassis_Private")[0]["heartbeat"]
    wait_until(lambda: tunnel.sb.rows("Chassis_Private")[0]["heartbeat"] > beats, "a heartbeat")


def test_charon_hangs(tunnel: Rig) -> None:
    old = tunnel.find_charons()[A.name]
    tunnel.run("kill", "-STOP", str(old))
    # Asked within 12 s, given up after two answers that did not come within 3 s.
    wait_until(lambda: tunnel.find_charons().get(A.name, old) != old, "a new charon", 25)
    tunnel.wait_tunnel(A, "up")


def test_charon_that_ends_again_and_again(rig: Rig) -> None:
    rig.bind(A, connect(A, NOWHERE))
    killed: set[int] = set()

    def kill() -> bool:
        for pid in set(rig.find_charons().values()) - killed:
            rig.run("kill", "-9", str(pid))
            killed.add(pid)
        return bool(rig.binding(A)["status_code"] == "error")

    wait_until(kill, "the failure", 20)
    sentence = "charon was killed by signal 9, 4 times within a minute of its start"
    assert rig.binding(A)["status_message"].startswith(f"{sentence}; tried again after ")
    assert rig.binding(A)["restarts"] == len(killed) == 4
    wait_until(lambda: set(rig.find_charons().values()) - killed, "another charon")
    runs = f"{sentence}; it runs, and is well if it does so for a minute"
    wait_until(lambda: rig.binding(A)["status_message"].startswith(runs), "the word of it")


def test_a_row_that_makes_no_sense_disturbs_nothing(tunnel: Rig) -> None:
    charons, row = tunnel.find_charons(), tunnel.tunnel(A)
    where = [["container", "==", A.name]]
    served = tunnel.binding(A)["reached_generation"]
    tunnel.sb.update("Container_Binding", where, configuration="{", generation=served + 100)
    kept = "still as configured before: the configuration is not JSON"

    def is_kept() -> bool:
        found = tunnel.binding(A)
        return bool(found["status_code"] == "running" and kept in found["status_message"])

    wait_until(is_kept, "the reason")
    tunnel.end_controller()
    before = tunnel.sb.rows("Chassis_Private")[0]["incarnation"]
    tunnel.start_controller()
    wait_until(lambda: tunnel.sb.rows("Chassis_Private")[0]["incarnation"] != before, "the new one")
    third = Side(12)
    tunnel.bind(third, connect(third, NOWHERE))
    tunnel.wait_running(third)
    assert is_kept()
    assert tunnel.binding(A)["reached_generation"] == served
    assert tunnel.find_charons() == charons | {third.name: tunnel.find_charons()[third.name]}
    assert tunnel.tunnel(A)["since"] == row["since"]
    assert " 0% packet loss" in ping(tunnel)
    # What was lost is made as it was.
    tunnel.run("kill", "-9", str(charons[A.name]))
    wait_until(lambda: tunnel.binding(A)["restarts"] == 1, "the restart")
    wait_until(is_kept, "the reason again")
    tunnel.wait_tunnel(A, "up")
    tunnel.run("ip", "netns", "del", A.name)
    wait_until(lambda: tunnel.tunnel(A)["state"] != "up", "the loss")
    tunnel.plug(A)
    tunnel.wait_tunnel(A, "up")
    assert is_kept()
    assert " 0% packet loss" in ping(tunnel)


def test_namespace_deleted_by_hand(tunnel: Rig) -> None:
    old = tunnel.find_charons()[A.name]
    tunnel.run("ip", "netns", "del", A.name)
    wait_until(lambda: tunnel.find_charons().get(A.name, old) != old, "charon in a new namespace")
    tunnel.plug(A)
    tunnel.wait_running(A)
    tunnel.wait_tunnel(A, "up")
    assert " 0% packet loss" in ping(tunnel)
    assert len(tunnel.find_charons()) == 2
    assert tunnel.binding(A)["restarts"] == 0


def test_namespace_unmounted_by_hand(tunnel: Rig) -> None:
    """Its file stays, and nobody tells."""
    old = tunnel.find_charons()[A.name]
    tunnel.run("umount", f"/run/netns/{A.name}")
    wait_until(lambda: tunnel.find_charons().get(A.name, old) != old, "charon in a new namespace")
    tunnel.plug(A)
    tunnel.wait_running(A)
    tunnel.wait_tunnel(A, "up")
    assert len(tunnel.find_charons()) == 2


def test_port_deleted_by_hand(tunnel: Rig) -> None:
    charons, since = tunnel.find_charons(), tunnel.tunnel(A)["since"]
    tunnel.ovs.update("Bridge", [], ports=["set", []])
    tunnel.set_installed(A, True)
    tunnel.wait_running(A)
    assert (tunnel.find_charons(), tunnel.tunnel(A)["since"]) == (charons, since)


def test_link_deleted_by_hand(tunnel: Rig) -> None:
    tunnel.run("ip", "link", "del", A.name)
    tunnel.plug(A)
    wait_until(lambda: " 0% packet loss" in ping(tunnel), "packets again")
    assert len(tunnel.find_charons()) == 2


def be_refused_and_go(rig: Rig) -> None:
    """A container whose name is taken on the host is refused, and leaves nothing."""
    rig.bind(A, connect(A, B))
    wait_until(lambda: "not ours" in rig.binding(A)["status_message"], "the refusal")
    assert rig.binding(A)["status_code"] == "error"
    rig.unbind(A)
    directory = rig.directory / "containers" / A.name
    wait_until(lambda: not directory.exists(), "the state directory to go")


def test_a_namespace_of_somebody_else_is_left_alone(rig: Rig) -> None:
    rig.run("ip", "netns", "add", A.name)
    rig.run("ip", "-n", A.name, "link", "set", "lo", "up")
    be_refused_and_go(rig)
    assert "LOOPBACK,UP" in rig.run("ip", "-n", A.name, "link", "show", "lo")


def test_a_link_of_somebody_else_is_left_alone(rig: Rig) -> None:
    """One of the container's own name, which carries no mark at all."""
    rig.run("ip", "link", "add", A.name, "type", "veth", "peer", "name", "foreign")
    be_refused_and_go(rig)
    assert f"foreign@{A.name}" in rig.run("ip", "link")
    rig.run("ip", "link", "del", "foreign")
    rig.bind(A, connect(A, B))
    rig.wait_running(A)


def test_wrong_secret(rig: Rig) -> None:
    rig.bind(A, connect(A, B), psk="ours")
    rig.bind(B, connect(B, A, initiate=False), psk="theirs")
    for side in (A, B):
        rig.plug(side)
        rig.wait_running(side)
    rig.wait_tunnel(A, "connecting", f"authentication failed: {B.outer} refused")
    rig.wait_tunnel(B, "down", f"authentication failed: the pre-shared key of {A.outer}")
    rig.bind(B, connect(B, A, initiate=False), psk="ours")
    rig.wait_tunnel(A, "up")
    rig.wait_tunnel(B, "up")
    assert rig.tunnel(A)["message"] == rig.tunnel(B)["message"] == ""


def test_peer_unreachable(rig: Rig) -> None:
    rig.bind(A, connect(A, B))
    rig.plug(A)
    rig.wait_tunnel(A, "connecting", f"no answer from {B.outer} since 20")
    rig.bind(B, connect(B, A, initiate=False))
    rig.plug(B)
    rig.wait_tunnel(A, "up")


def test_no_common_algorithm(rig: Rig) -> None:
    rig.bind(A, connect(A, B))
    rig.bind(B, connect(B, A, initiate=False, ike_proposals=["aes256-sha512-modp3072"]))
    for side in (A, B):
        rig.plug(side)
    rig.wait_tunnel(A, "connecting", "no proposal chosen")
    rig.wait_tunnel(B, "down", "no proposal chosen")


def test_no_common_subnets(rig: Rig) -> None:
    rig.bind(A, connect(A, B, peer_subnets=["10.99.0.0/16"]))
    rig.bind(B, connect(B, A, initiate=False))
    for side in (A, B):
        rig.plug(side)
    rig.wait_tunnel(A, "connecting", "traffic selectors refused")
    rig.wait_tunnel(B, "down", "traffic selectors refused")


def test_change_touches_only_what_changed(tunnel: Rig) -> None:
    charons, since = tunnel.find_charons(), tunnel.tunnel(A)["since"]
    second = connect(A, NOWHERE)
    tunnel.bind(A, connect(A, B), second)
    tunnel.wait_running(A)
    rows = {row["subject"]: row for row in tunnel.sb.rows("Container_Item")}
    assert rows[second["id"]]["state"] == "connecting"
    tunnel.bind(A, connect(A, B))
    tunnel.wait_running(A)
    wait_until(
        lambda: second["id"] not in {row["subject"] for row in tunnel.sb.rows("Container_Item")},
        "the row to go",
    )
    assert tunnel.find_charons() == charons
    assert tunnel.tunnel(A)["since"] == since
    log = (tunnel.directory / "log/containers" / f"{A.name}.log").read_text()
    assert len(re.findall(r"IKE_SA \S+ established", log)) == 1


def test_changed_algorithm_is_renegotiated(tunnel: Rig) -> None:
    proposal = "aes256gcm16-prfsha384-ecp384"
    tunnel.bind(B, connect(B, A, initiate=False, ike_proposals=[proposal]))
    tunnel.wait_running(B)
    tunnel.bind(A, connect(A, B, ike_proposals=[proposal]))
    wait_until(lambda: "ECP_384" in str(tunnel.tunnel(A)["detail"]), "the new algorithms")
    tunnel.wait_tunnel(A, "up")


@pytest.mark.parametrize("rekeyer", [A, B])
@pytest.mark.parametrize("pfs", ["", "-modp2048"])
def test_rekeying_with_a_peer_of_either_form(rig: Rig, pfs: str, rekeyer: Side) -> None:
    """What nobody configured is offered with perfect forward secrecy and without."""
    first = connect(A, B, esp_proposals=make_esp_proposals(None, 2))
    second = connect(B, A, initiate=False, esp_proposals=[f"aes256-sha256{pfs}"])
    rig.bind(A, first)
    rig.bind(B, second)
    for side in (A, B):
        rig.plug(side)
    for side in (A, B):
        rig.wait_tunnel(side, "up")
    child = {A: first["id"], B: second["id"]}[rekeyer]
    socket = rig.directory / "containers" / rekeyer.name / "charon.vici"
    rig.run("swanctl", "--rekey", "--uri", f"unix://{socket}", "--child", child)

    def rekeyed() -> bool:
        shown = rig.run("swanctl", "--list-sas", "--raw", "--uri", f"unix://{socket}")
        found = re.findall(r"uniqueid=(\d+) reqid=\d+ state=INSTALLED", shown)
        return found == ["2"] and (" dh-group=MODP_2048" in shown.split("child-sas")[1]) == bool(
            pfs
        )

    wait_until(rekeyed, "the SA made anew")
    assert " 0% packet loss" in ping(rig)


@pytest.mark.parametrize("version", [1, 2])
def test_bytes_end_an_sa(rig: Rig, version: int) -> None:
    """Each new one is there before that, so that hardly a packet is lost."""
    settings = {"ike_version": version, "esp_lifetime_bytes": 10**6}
    rig.bind(A, connect(A, B, **settings))
    rig.bind(B, connect(B, A, initiate=False, ike_version=version))
    for side in (A, B):
        rig.plug(side)
    for side in (A, B):
        rig.wait_tunnel(side, "up")
    ping = ("ping", "-q", "-f", "-c1000", "-s1000", "-W1", "-I", A.inner, B.inner)
    shown = rig.run("ip", "netns", "exec", A.name, *ping)
    received = re.search(r"(\d+) received", shown)
    assert received is not None
    assert int(received[1]) > 980
    assert rig.tunnel(A)["state"] == "up"
    log = (rig.directory / "log/containers" / f"{A.name}.log").read_text()
    assert len(re.findall(r"CHILD_SA \S+ established", log)) > 1
    assert len(re.findall(r"IKE_SA \S+ established", log)) == 1


def test_change_of_who_initiates_keeps_the_tunnel(tunnel: Rig) -> None:
    since = tunnel.tunnel(A)["since"]
    tunnel.bind(A, connect(A, B, initiate=False, dpd_action="clear"))
    tunnel.wait_running(A)
    assert " 0% packet loss" in ping(tunnel)
    assert tunnel.tunnel(A)["since"] == since
    log = (tunnel.directory / "log/containers" / f"{A.name}.log").read_text()
    assert len(re.findall(r"IKE_SA \S+ established", log)) == 1


def test_changed_secret_is_used(tunnel: Rig) -> None:
    tunnel.bind(A, connect(A, B), psk="new")
    tunnel.wait_tunnel(A, "connecting", "authentication failed")
    tunnel.bind(B, connect(B, A, initiate=False), psk="new")
    tunnel.wait_tunnel(A, "up")
    assert " 0% packet loss" in ping(tunnel)


def test_a_secret_sealed_anew_keeps_the_tunnel(tunnel: Rig) -> None:
    """Another key of the chassis, as after a reinstallation, and another seed."""
    charons = tunnel.find_charons()
    public_key = tunnel.sb.rows("Chassis")[0]["public_key"]
    tunnel.end_controller()
    (tunnel.directory / "etc" / "chassis.key").unlink()
    tunnel.start_controller()
    wait_until(lambda: tunnel.sb.rows("Chassis")[0]["public_key"] != public_key, "the new key")
    for side, peer in ((A, B), (B, A)):
        tunnel.bind(side, connect(side, peer, initiate=side is A), seed=sealing.make_seed())
    for side in (A, B):
        tunnel.wait_running(side)
        tunnel.wait_tunnel(side, "up")
    assert tunnel.find_charons() == charons
    log = (tunnel.directory / "log/containers" / f"{A.name}.log").read_text()
    assert len(re.findall(r"IKE_SA \S+ established", log)) == 1


def test_ikev1_beside_ikev2_with_another_key(rig: Rig) -> None:
    """The addresses are the same; either side may be asked first."""
    ours, theirs = "10.1.0.0/24", "10.2.0.0/24"
    ids = {A: str(uuid.UUID(int=1)), B: str(uuid.UUID(int=2))}
    for side, peer in ((A, B), (B, A)):
        local, remote = (ours, theirs) if side is A else (theirs, ours)
        second = connect(
            *(side, peer),
            id=ids[side],
            local_id=f"second.{side.name}",
            peer_id=f"second.{peer.name}",
            local_subnets=[local],
            peer_subnets=[remote],
            initiate=side is B,
        )
        first = connect(side, peer, ike_version=1, initiate=side is A)
        document = {"outer_addresses": [side.outer], "connections": [first, second]}
        keys = {first["id"]: "first", second["id"]: "second"}
        rig.bind_type(side, "ipsec", json.dumps(document), keys)
        rig.plug(side)

    def are_up() -> bool:
        return [row["state"] for row in rig.sb.rows("Container_Item")] == ["up"] * 4

    wait_until(are_up, "all tunnels", 20)


def test_ikev1_with_several_subnets(rig: Rig) -> None:
    more = [A.subnet, "10.1.0.0/24"]
    rig.bind(A, connect(A, B, ike_version=1, local_subnets=more))
    rig.bind(B, connect(B, A, ike_version=1, peer_subnets=more, initiate=False))
    for side in (A, B):
        rig.plug(side)
    for side in (A, B):
        rig.wait_tunnel(side, "up")


def test_removal_leaves_nothing(tunnel: Rig) -> None:
    for side in (A, B):
        tunnel.unbind(side)
    wait_until(lambda: not tunnel.find_leftovers(), "everything to be gone")


def test_removal_while_controller_is_away(tunnel: Rig) -> None:
    tunnel.end_controller()
    for side in (A, B):
        tunnel.unbind(side)
    assert tunnel.find_leftovers()
    tunnel.start_controller()
    wait_until(lambda: not tunnel.find_leftovers(), "everything to be gone")


def test_removal_without_the_mark_of_a_service(tunnel: Rig) -> None:
    """The state directory of a killed controller may hold less than it should."""
    tunnel.end_controller()
    for name in ("charon.pid", "loaded.json", "ruleset.nft"):
        (tunnel.directory / "containers" / A.name / name).unlink()
    tunnel.run("umount", f"/run/netns/{B.name}")
    for side in (A, B):
        tunnel.unbind(side)
    tunnel.start_controller()
    wait_until(lambda: not tunnel.find_leftovers(), "everything to be gone")


def test_killed_at_any_moment(rig: Rig) -> None:
    """Whatever svc-controller was doing when it died, the next one gets it done."""
    for moment in range(8):
        rig.bind(A, connect(A, NOWHERE))
        die_later(rig, moment)
        rig.unbind(A)
        die_later(rig, moment)
    rig.bind(A, connect(A, NOWHERE))
    rig.wait_running(A)
    assert len(rig.find_charons()) == 1
    rig.unbind(A)
    wait_until(lambda: not rig.find_leftovers(), "everything to be gone")


def die_later(rig: Rig, moment: int) -> None:
    """Kills svc-controller when it has done 'moment' more of the host's visible steps."""
    steps: tuple[Callable[[], object], ...] = (
        lambda: True,
        (rig.directory / "containers" / A.name).exists,
        lambda: A.name in rig.run("ip", "netns"),
        lambda: A.name in rig.run("ip", "link"),
        lambda: rig.ovs.rows("Port"),
        (rig.directory / "containers" / A.name / "ruleset.nft").exists,
        (rig.directory / "containers" / A.name / "charon.pid").exists,
        (rig.directory / "containers" / A.name / "loaded.json").exists,
    )
    wanted = bool(rig.sb.rows("Container_Binding"))
    wait_until(lambda: moment == 0 or bool(steps[moment]()) == wanted, f"step {moment}")
    rig.end_controller()
    rig.start_controller()


def test_stranger_is_left_alone(rig: Rig) -> None:
    """Things that look like ours but carry no mark of ours stay."""
    rig.run("ip", "link", "add", "vpn-f", "type", "veth", "peer", "name", "peer-f")
    rig.run("ip", "netns", "add", "vpn-e")
    rig.bind(A, connect(A, NOWHERE))
    rig.wait_running(A)
    rig.unbind(A)
    wait_until(lambda: A.name not in rig.find_leftovers(), "the container to go")
    assert {"vpn-f@peer-f", "peer-f@vpn-f", "vpn-e"} == set(rig.find_leftovers())


def test_no_secret_is_readable(tunnel: Rig) -> None:
    secret = b"secret"
    files = [path for path in tunnel.directory.rglob("*") if path.is_file()]
    holders = [str(path) for path in files if secret in path.read_bytes().replace(b"secrets", b"")]
    assert not holders
    assert (tunnel.directory / "etc" / "chassis.key").stat().st_mode & 0o777 == 0o600
    for pid in tunnel.find_charons().values():
        shown = tunnel.run("cat", f"/proc/{pid}/environ", f"/proc/{pid}/cmdline")
        assert secret.decode() not in shown
