"""An isolated chassis: how it is found out, and that its containers get no packet until it ends."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import ovs.poller
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..controller import southbound
from ..controller.commands import isolation_status, list_containers
from ..controller.fence import DENSE, SENTENCE, choose, read_timing
from ..controller.host.desired import Problem, set_up
from ..controller.host.kinds import Link, Links
from ..controller.isolation import ROUNDS, Isolation, Timing, find_timing
from ..controller.linux.echo import Echo, find_checksum, make_request, parse_reply
from ..controller.linux.switch_rows import Interface, find_peer
from .bench import Bench
from .ovsdb import Database, wait_until
from .rig import A, B, Rig, to_map
from .test_controller_partition import Network

TIMING = find_timing(1000, 4000)
PEER = "172.31.0.12"

# -- the decision ----------------------------------------------------------------


def watch(isolation: Isolation, begin_ms: int, end_ms: int, timing: Timing = TIMING) -> int | None:
    """Lets nobody answer; returns when the chassis was isolated, looked at as often as asked."""
    now_ms = begin_ms
    while now_ms <= end_ms:
        if isolation.judge(now_ms, timing):
            return now_ms
        if now_ms >= isolation.find_round_ms(now_ms, timing):
            isolation.note_round(now_ms, timing)
        now_ms = max(isolation.find_next_ms(now_ms, timing), now_ms + 1)
    return None


def make_known(acknowledged_ms: int = 0, answered_ms: int = 0) -> Isolation:
    isolation = Isolation()
    isolation.note_acknowledged(acknowledged_ms)
    isolation.note_answer(answered_ms)
    return isolation


def test_silence_of_all_isolates_before_death() -> None:
    assert Timing(2000, 3000, 250) == TIMING
    assert watch(make_known(), 0, 10_000) == 3000


def test_without_an_answer_ever_nothing_isolates() -> None:
    isolation = Isolation()
    isolation.note_acknowledged(0)
    assert watch(isolation, 0, 100_000) is None


def test_without_a_heartbeat_ever_nothing_isolates() -> None:
    isolation = Isolation()
    isolation.note_answer(0)
    assert watch(isolation, 0, 100_000) is None


def test_peers_that_were_silent_before_prove_nothing() -> None:
    assert watch(make_known(100_000, answered_ms=0), 100_000, 200_000) is None


def test_one_answer_is_enough() -> None:
    isolation = make_known()
    for now_ms in range(0, 60_000, 500):
        assert watch(isolation, now_ms, now_ms + 499) is None
        isolation.note_answer(now_ms + 499)
    assert watch(isolation, 60_000, 70_000) is not None


def test_a_stall_of_this_process_is_no_silence() -> None:
    isolation = make_known()
    found_ms = watch(isolation, 60_000, 70_000)
    assert found_ms is not None
    assert found_ms >= 60_000 + ROUNDS * TIMING.round_ms


def test_answers_do_not_lift_and_a_heartbeat_does() -> None:
    isolation = make_known()
    assert watch(isolation, 0, 10_000) == 3000
    isolation.note_answer(3100)
    assert isolation.judge(3200, TIMING)
    # It was under way when the chassis was cut off.
    isolation.note_acknowledged(1000)
    assert isolation.judge(3300, TIMING)
    isolation.note_acknowledged(3500)
    assert not isolation.judge(3600, TIMING)


@given(
    interval_ms=st.integers(100, 10_000),
    factor=st.floats(1.8, 20),
    acknowledged_ms=st.integers(0, 10**6),
    answered_before_ms=st.integers(0, 70_000),
    underlay_cut=st.floats(0, 0.5),
)
def test_the_fence_is_there_before_the_chassis_counts_as_dead(
    interval_ms: int,
    factor: float,
    acknowledged_ms: int,
    answered_before_ms: int,
    underlay_cut: float,
) -> None:
    dead_after_ms = max(500, round(interval_ms * factor))
    timing = find_timing(interval_ms, dead_after_ms)
    isolation = make_known(acknowledged_ms, acknowledged_ms - answered_before_ms)
    cut_ms = acknowledged_ms + round(dead_after_ms * underlay_cut)
    assert watch(isolation, acknowledged_ms, cut_ms, timing) is None
    found_ms = watch(isolation, cut_ms, acknowledged_ms + dead_after_ms, timing)
    assert found_ms is not None
    assert acknowledged_ms + timing.fence_ms <= found_ms < acknowledged_ms + dead_after_ms


EVENTS = st.lists(
    st.tuples(st.sampled_from(["beat", "answer", "look"]), st.integers(0, 1000)), max_size=200
)


@given(events=EVENTS)
def test_isolated_only_after_silence_of_both(events: list[tuple[str, int]]) -> None:
    isolation, now_ms = make_known(), 0
    beat_ms = answer_ms = 0
    for what, wait_ms in events:
        now_ms += wait_ms
        was_isolated = isolation.since_ms is not None
        if what == "beat":
            beat_ms = now_ms
            isolation.note_acknowledged(now_ms)
        elif what == "answer":
            answer_ms = now_ms
            isolation.note_answer(now_ms)
        elif now_ms >= isolation.find_round_ms(now_ms, TIMING):
            isolation.note_round(now_ms, TIMING)
        if isolation.judge(now_ms, TIMING):
            assert was_isolated or now_ms - beat_ms >= TIMING.fence_ms
            assert was_isolated or now_ms - answer_ms >= ROUNDS * TIMING.round_ms
            assert what != "beat" or wait_ms == 0
        else:
            assert not was_isolated or what == "beat"


@pytest.mark.parametrize(
    ("options", "timing"),
    [
        ({}, Timing(2000, 3000, 250)),
        ({"chassis-dead-after": "8000"}, Timing(4000, 6000, 500)),
        ({"chassis-dead-after": "soon"}, Timing(2000, 3000, 250)),
        ({"chassis-dead-after": "1500", "heartbeat-interval": "500"}, Timing(750, 1125, 93)),
        ({"chassis-dead-after": "500"}, Timing(1250, 1343, 31)),
    ],
)
def test_times_of_the_options(options: dict[str, str], timing: Timing) -> None:
    assert read_timing(options) == timing


# -- whom to ask -----------------------------------------------------------------


@given(st.sets(st.text("ab", min_size=1, max_size=6)), st.data())
def test_everybody_is_asked_in_turn(peers: set[str], data: st.DataObject) -> None:
    ordered = sorted(peers)
    answered = data.draw(st.sets(st.sampled_from(ordered))) if ordered else set()
    turns = [choose(ordered, answered, turn, DENSE) for turn in range(len(peers) + 1)]
    for asked in turns:
        assert len(asked) == len(set(asked)) == min(DENSE, len(peers))
        assert not answered or answered & set(asked)
    assert {each for asked in turns for each in asked} == peers


def make_interface(kind: str, **options: str) -> Interface:
    return Interface(uuid4(), "ovn-x", kind, options, {})


def test_peers_are_the_other_ends_of_tunnels() -> None:
    rows = [
        make_interface("geneve", remote_ip="172.31.0.12", key="flow"),
        make_interface("vxlan", remote_ip="172.31.0.12"),
        make_interface("stt", remote_ip="fd00::0:12"),
        make_interface("geneve", remote_ip="flow"),
        make_interface("geneve", remote_ip="chassis.example.org"),
        make_interface("geneve", remote_ip="224.0.0.1"),
        make_interface("geneve", remote_ip="fe80::1"),
        make_interface("geneve", remote_ip="0.0.0.0"),
        make_interface("geneve"),
        make_interface("", remote_ip="172.31.0.13"),
        make_interface("gre", remote_ip="172.31.0.14"),
    ]
    assert set(map(find_peer, rows)) == {None, "172.31.0.12", "fd00::12"}


# -- echo ------------------------------------------------------------------------


@given(st.binary(max_size=100))
def test_checksum_is_that_of_rfc_1071(content: bytes) -> None:
    request = make_request(4, 1, 2, content + b"x" * (len(content) % 2))
    assert find_checksum(request) == 0


@given(st.sampled_from([4, 6]), st.binary(max_size=100))
def test_no_packet_is_too_strange(version: int, packet: bytes) -> None:
    parse_reply(version, packet)


@pytest.fixture
def echo() -> Iterator[Echo]:
    made = Echo()
    yield made
    made.close()


def take(echo: Echo, number: int) -> set[str]:
    """Returns the answers once there are so many, woken by the poller."""
    found: set[str] = set()

    def step() -> bool:
        found.update(address for address, _ in echo.take_answers())
        poller = ovs.poller.Poller()
        echo.wait_answers(poller)
        poller.timer_wait(50)
        if len(found) < number:
            poller.block()
        return len(found) >= number

    wait_until(step, f"{number} answers")
    return found


def test_hosts_answer_once(echo: Echo) -> None:
    echo.send_echoes(["127.0.0.1", "127.0.0.2", "::1", "255.255.255.255"])
    assert take(echo, 3) == {"127.0.0.1", "127.0.0.2", "::1"}
    assert echo.take_answers() == set()


def test_what_others_asked_is_no_answer(echo: Echo) -> None:
    other = Echo()
    echo.send_echoes(["127.0.0.2"])
    assert take(echo, 1)
    other.send_echoes(["127.0.0.1"])
    assert take(other, 1) == {"127.0.0.1"}
    assert echo.take_answers() == set()
    # A reply to what was not asked of this one, and one with another content.
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as link:
        echo._asked[7] = "127.0.0.9", 0
        for source, content in (("127.0.0.8", echo._content), ("127.0.0.9", b"another")):
            reply = bytearray(make_request(4, echo._identifier, 7, content))
            reply[0:4] = b"\0\0\0\0"
            reply[2:4] = find_checksum(bytes(reply)).to_bytes(2)
            link.bind((source, 0))
            link.sendto(reply, ("127.0.0.1", 0))
    echo.send_echoes(["127.0.0.3"])
    assert take(echo, 1) == {"127.0.0.3"}
    other.close()


# -- svc-controller ----------------------------------------------------------------


def is_up(bench: Bench, name: str) -> bool:
    link = bench.host.things[Links, name]
    assert isinstance(link, Links)
    return all(each.up for each in link.links)


@pytest.fixture
def network(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    """A network with a chassis that has registered through it, and another one that answers."""
    monkeypatch.setattr(southbound, "PROBE_INTERVAL_MS", 1000)
    bench.logs.allow("no response to inactivity probe|connection dropped|connection attempt")
    bench.sb.update(
        "SB_Global",
        [],
        options=to_map({"heartbeat-interval": "100", "chassis-dead-after": "800"}),
    )
    made = Network(bench.sb.socket)
    bench.host.answering = {PEER}
    bench.open_switch(**{"svc-remote": made.remote})
    add_tunnel(bench.ovs, PEER)
    bench.until(lambda: bench.sb.rows("Chassis"), "the chassis to register")
    bench.until(lambda: "1 of 1 chassis" in isolation_status(bench.controller), "an answer")
    yield made
    made.close()


def add_tunnel(database: Database, address: str) -> None:
    options = to_map({"remote_ip": address, "key": "flow"})
    interface = {"name": "ovn-hv2-0", "type": "geneve", "options": options}
    port = {"name": "ovn-hv2-0", "interfaces": ["named-uuid", "i"]}
    database.transact(
        {"op": "insert", "table": "Interface", "uuid-name": "i", "row": interface},
        {"op": "insert", "table": "Port", "uuid-name": "p", "row": port},
        {
            "op": "mutate",
            "table": "Bridge",
            "where": [],
            "mutations": [["ports", "insert", ["named-uuid", "p"]]],
        },
    )


def isolate(bench: Bench, network: Network) -> None:
    bench.logs.allow("isolated: the southbound has acknowledged no heartbeat")
    network.cut()
    bench.host.answering = set()
    bench.until(lambda: bench.controller.fence.on, "the fence")


def test_isolated_chassis_fences_and_heals(bench: Bench, network: Network) -> None:
    for name in ("c1", "c2", "c3"):
        bench.bind(name)
    bench.settle()
    program = replace(bench.host.programs["c1"])
    bench.bind("c3", {"mistake": True})
    bench.settle()
    done = list(bench.host.operations)
    isolate(bench, network)
    # In the very pass, c3 too, of which the row cannot be understood.
    assert [is_up(bench, name) for name in ("c1", "c2", "c3")] == [False] * 3
    assert SENTENCE in isolation_status(bench.controller)
    assert list_containers(bench.controller).count(SENTENCE) >= 2
    bench.unbind("c1")
    bench.host.answering = {PEER}
    bench.until(lambda: bench.host.asked[-1:] == [PEER], "the other chassis to be asked")
    bench.controller.check_all()
    bench.until(lambda: not bench.controller.containers.reconciler.dirty, "a look at everything")
    assert isolation_status(bench.controller).startswith(SENTENCE)
    assert not is_up(bench, "c2")
    links = [("apply", "Links", name) for name in ("c1", "c2", "c3")]
    assert sorted(bench.host.operations[len(done) :]) == links
    network.tell_server()
    network.heal()
    bench.until(lambda: bench.host.find_names() == {"c2", "c3"}, "c1 to go")
    bench.until(lambda: is_up(bench, "c2") and is_up(bench, "c3"), "the fence to be lifted")
    assert isolation_status(bench.controller).startswith("not fenced")
    assert program.starts == bench.host.programs["c2"].starts == 1
    bench.bind("c3")
    bench.until_status("c2", "running")
    bench.check_laws()


def test_mere_loss_of_the_southbound_fences_nothing(bench: Bench, network: Network) -> None:
    bench.bind("c1")
    bench.settle()
    network.cut()
    asked = len(bench.host.asked)
    # Far longer than chassis-dead-after, at more than one round in 100 ms.
    bench.until(lambda: len(bench.host.asked) > asked + 40, "many rounds")
    assert not bench.controller.fence.on
    assert is_up(bench, "c1")


def test_fence_outlives_a_restart(bench: Bench, network: Network) -> None:
    bench.bind("c1")
    bench.settle()
    isolate(bench, network)
    bench.restart()
    bench.until(lambda: bench.controller.ovs.synced, "the local database")
    bench.until(lambda: len(bench.host.asked) > 3, "some rounds")
    assert not is_up(bench, "c1")
    network.tell_server()
    network.heal()
    bench.until(lambda: is_up(bench, "c1"), "the fence to be lifted")
    bench.check_laws()


def test_one_that_cannot_be_fenced_holds_up_no_other(bench: Bench, network: Network) -> None:
    bench.logs.allow("c1: out of order")
    for name in ("c1", "c2"):
        bench.bind(name)
    bench.settle()
    bench.host.failures["apply", Links, "c1"] = "out of order"
    isolate(bench, network)
    assert is_up(bench, "c1")
    assert not is_up(bench, "c2")
    del bench.host.failures["apply", Links, "c1"]
    bench.until(lambda: not is_up(bench, "c1"), "the fence of c1")


@pytest.mark.parametrize("mac", ["0a:00:00:00:00:01", ""])
def test_rows_that_make_no_sense_are_fenced_too(bench: Bench, mac: str) -> None:
    """Without a MAC the link is not as any container's should be."""
    bench.host.things[Links, "c1"] = Links((Link("svc0", "c1", mac, 1442, False),))
    reconciler = bench.controller.containers.reconciler
    wanted = {name: Problem(name, 1, "no sense") for name in ("c1", "c2", "not a/name")}
    fenced = {name: set_up(each, up=False) for name, each in wanted.items()}
    reconciler.fence(fenced)
    assert not is_up(bench, "c1")
    reconciler.run(fenced)
    reconciler.fence(wanted)
    assert is_up(bench, "c1")
    assert reconciler.failures == {}


def test_what_is_said_before_anybody_answered(bench: Bench) -> None:
    bench.open_switch()
    bench.until(lambda: bench.sb.rows("Chassis"), "the chassis to register")
    assert "no other chassis is known" in isolation_status(bench.controller)
    add_tunnel(bench.ovs, PEER)
    bench.until(lambda: bench.host.asked, "the other chassis to be asked")
    assert "none of 1 chassis has answered" in isolation_status(bench.controller)


# -- a real kernel -----------------------------------------------------------------


def is_link_up(rig: Rig, name: str) -> bool:
    (link,) = json.loads(rig.run("ip", "-json", "link", "show", "dev", name))
    return "UP" in link["flags"]


def test_kernel_takes_packets_from_a_fenced_container_only(tunnel: Rig) -> None:
    """Charon and what else is in the namespace stay as they are."""
    options = {"heartbeat-interval": "100", "chassis-dead-after": "800"}
    tunnel.sb.update("SB_Global", [], options=to_map(options))
    add_tunnel(tunnel.ovs, "127.0.0.2")
    wait_until(lambda: "1 of 1 chassis answered" in ask(tunnel), "an answer")
    charons, inside = tunnel.find_charons(), look_inside(tunnel)
    tunnel.sb.stop()
    # Longer than chassis-dead-after, with the other chassis there.
    before = read_sent(tunnel)
    wait_until(lambda: read_sent(tunnel) > before + 20, "many rounds")
    assert is_link_up(tunnel, A.name)
    tunnel.run("sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=1")
    wait_until(lambda: SENTENCE in ask(tunnel), "the fence")
    assert not is_link_up(tunnel, A.name)
    assert not is_link_up(tunnel, B.name)
    assert look_inside(tunnel) == inside
    tunnel.run("sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=0")
    tunnel.sb.start()
    for side in (A, B):
        wait_until(lambda: is_link_up(tunnel, side.name), "the fence to be lifted")  # noqa: B023
        tunnel.plug(side)
    done = tunnel.run(
        *("ip", "netns", "exec", A.name, "ping", "-c3", "-i0.2", "-W1", "-I", A.outer, B.outer)
    )
    assert " 0% packet loss" in done
    assert tunnel.find_charons() == charons
    log = tunnel.read_log()
    assert log.count("isolated: the southbound") == log.count("isolated no more") == 1


def ask(rig: Rig) -> str:
    """Returns what svc-controller says of its isolation."""
    socket_path = f"{rig.directory}/svc-controller.ctl"
    return rig.run("ovs-appctl", "-t", socket_path, "isolation-status")


def look_inside(rig: Rig) -> list[str]:
    """Returns addresses, routes and filter of a container, without what a carrier changes."""
    words = (
        ("ip", "-br", "address", "show", "scope", "global"),
        ("ip", "route", "show", "proto", "static"),
        ("nft", "list", "ruleset"),
    )
    seen = [rig.run("ip", "netns", "exec", A.name, *each) for each in words]
    strange = re.compile(r" *(linkdown|DOWN|LOWERLAYERDOWN|UP|counter packets \d+ bytes \d+) *")
    return [strange.sub(" ", each) for each in seen]


def read_sent(rig: Rig) -> int:
    """Returns how many echo requests this host has sent."""
    lines = [line.split() for line in rig.run("cat", "/proc/net/snmp").splitlines()]
    names, values = (line for line in lines if line[0] == "Icmp:")
    return int(values[names.index("OutEchos")])
