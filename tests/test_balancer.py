"""Load balancers of OVN: what their rows say, what is chosen of it, and the rules of nft."""

from __future__ import annotations

import ipaddress
import subprocess
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ..lib.balancer import Endpoint, VirtualAddress, parse_endpoint, parse_vips
from ..lib.errors import ConfigError
from ..services.ipsec.balancing import MOST_PAIRS, narrow
from ..services.ipsec.host import connections, network
from .rig import Side, connect
from .test_controller_ipsec import SITE, configure

A, B, C = Side(10), Side(11), Side(12)
VIRTUAL = "192.168.10.50"
ONE, TWO = "192.168.10.10", "192.168.10.11"
WEB = {
    "address": VIRTUAL,
    "port": 80,
    "protocol": "tcp",
    "members": [f"{ONE}:8080", f"{TWO}:8081"],
}
_PIECES = st.sampled_from(
    [
        "10.0.0.1",
        "10.0.0.2:80",
        "[fd00::1]:80",
        "fd00::2",
        ":",
        "0",
        "65536",
        ",",
        " ",
        "]",
        "[",
        "%x",
    ]
)
_TEXTS = st.one_of(st.text(max_size=40), st.lists(_PIECES, max_size=6).map("".join))


# -- rows ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.0.1:80", "10.0.0.1:80"),
        ("fd00::1", "fd00::1"),
        ("[fd00::0:1]:80", "[fd00::1]:80"),
        *(
            (text, None)
            for text in (
                *("", ":", ":80", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:٣"),
                *("[10.0.0.1]:80", "[fd00::1]", "[fd00::1]80", "fe80::1%eth0", "0.0.0.0:80"),
                *("^backend", "10.0.0.1:80; flush ruleset", "10.0.0.1:80\n", "10.0.0.1:8 0"),
            )
        ),
    ],
)
def test_endpoint(text: str, written: str | None) -> None:
    found = parse_endpoint(text)
    assert (str(found) if found is not None else None) == written


def _parse(vips: dict[str, str], protocol: str | None = None) -> list[tuple[str, Any, list[str]]]:
    found = parse_vips(vips, protocol, lambda _address: True)
    return [(str(each.at), each.protocol, list(map(str, each.members))) for each in found]


def test_what_does_not_fit_is_left_out() -> None:
    members = "10.0.0.3:80, 10.0.0.2:80,10.0.0.4,[fd00::1]:80,x,10.0.0.2:80"
    assert _parse({"10.0.0.1:80": members, "x": members}) == [
        ("10.0.0.1:80", "tcp", ["10.0.0.2:80", "10.0.0.3:80"])
    ]
    assert _parse({"10.0.0.1": members}, "udp") == [("10.0.0.1", None, ["10.0.0.4"])]
    assert _parse({"10.0.0.1:80": ""}, "sctp") == [("10.0.0.1:80", "sctp", [])]
    assert _parse({"10.0.0.1:80": members}, "icmp") == []


@given(st.dictionaries(_TEXTS, _TEXTS, max_size=4), st.sampled_from([None, "tcp", "udp", "x"]))
@example({"10.0.0.1:80": "10.0.0.2:80"}, "tcp")
def test_any_row_is_read(vips: dict[str, str], protocol: str | None) -> None:
    for each in parse_vips(vips, protocol, lambda _address: True):
        assert parse_endpoint(str(each.at)) == each.at
        assert (each.protocol is None) == (each.at.port is None)
        for member in each.members:
            assert parse_endpoint(str(member)) == member
            assert member.address.version == each.at.address.version


def test_members_elsewhere_are_left_out() -> None:
    at = Endpoint(ipaddress.ip_address(VIRTUAL))
    inside, outside = ipaddress.ip_address(ONE), ipaddress.ip_address("9.9.9.9")
    virtual = VirtualAddress(at, None, (Endpoint(outside), Endpoint(inside)))
    local = ipaddress.ip_network(A.subnet)
    assert narrow(virtual, [local]) == VirtualAddress(at, None, (Endpoint(inside),))
    assert narrow(virtual, [ipaddress.ip_network(B.subnet)]) is None


# -- configuration -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        7,
        [7],
        [{}],
        [{**WEB, "members": None}],
        [{**WEB, "members": [7]}],
        [{**WEB, "members": ["9.9.9.9:80 } flush ruleset"]}],
        [{**WEB, "members": [ONE]}],
        [{**WEB, "members": ["[fd00::1]:80"]}],
        [{**WEB, "address": None}],
        [{**WEB, "address": f"{VIRTUAL} accept"}],
        [{**WEB, "port": True}],
        [{**WEB, "port": 65536}],
        [{**WEB, "port": "80"}],
        [{**WEB, "port": None}],
        [{**WEB, "protocol": "tcp dport 1 accept"}],
        [{**WEB, "protocol": None}],
        [{**WEB, "port": number} for number in range(1, MOST_PAIRS)],
    ],
)
def test_what_makes_no_sense_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match="balancer"):
        connections.parse(configure(connect(A, B), balancers=value))


def test_a_change_is_none_of_a_connection() -> None:
    before = connections.parse(configure(connect(A, B)))
    after = connections.parse(configure(connect(A, B), balancers=[WEB]))
    assert before.connections == after.connections
    assert before != after


# -- rules ---------------------------------------------------------------------------------


def _make_ruleset(*balancers: Any, libipsec: bool = True, members: Any = None) -> str:
    document = configure(*(members or [connect(A, B)]), balancers=list(balancers))
    settings = connections.parse(document)
    return network.make_network(settings, SITE, libipsec).ruleset


def _find_lines(ruleset: str, word: str) -> list[str]:
    return [line for line in ruleset.splitlines() if word in line]


@pytest.mark.parametrize(
    ("libipsec", "come"), [(True, 'iifname "ipsec*"'), (False, 'iifname "svc0" meta ipsec exists')]
)
def test_what_comes_out_of_the_tunnel_goes_to_a_member(libipsec: bool, come: str) -> None:
    whole = {"address": "192.168.10.51", "port": None, "protocol": None, "members": [ONE]}
    ruleset = _make_ruleset(WEB, whole, libipsec=libipsec)
    assert _find_lines(ruleset, "dnat ip") == [
        f"{come} ip saddr {B.subnet} ip daddr {VIRTUAL} tcp dport 80 dnat ip to"
        " jhash ip saddr . tcp sport mod 2 seed 0x1"
        f" map {{ 0 : {ONE} . 8080, 1 : {TWO} . 8081 }}",
        f"{come} ip saddr {B.subnet} ip daddr 192.168.10.51 dnat ip to"
        f" jhash ip saddr mod 1 seed 0x1 map {{ 0 : {ONE} }}",
    ]
    without = _make_ruleset(libipsec=libipsec)
    assert ruleset.endswith(without), "the filter is the same"
    assert "nat" not in without


def test_an_address_without_a_member_for_the_peer_is_refused() -> None:
    other = connect(A, C, local_subnets=["10.5.0.0/16"], local_id="x")
    empty = {**WEB, "port": 81, "members": []}
    mixed = {**WEB, "address": "10.5.0.1", "members": [f"{ONE}:80"], "protocol": "udp"}
    ruleset = _make_ruleset(WEB, empty, mixed, members=[connect(A, B), other])
    come = 'iifname "ipsec*" oifname "svc0" ip saddr'
    assert _find_lines(ruleset, VIRTUAL)[-1] == (
        f"{come} {B.subnet} ip daddr {VIRTUAL} tcp dport 81 reject with tcp reset"
    )
    # Its member is no answer for a peer to which that is not rerouted.
    assert _find_lines(ruleset, "10.5.0.1 ") == [
        f"{come} {C.subnet} ip daddr 10.5.0.1 udp dport 80 drop"
    ]
    first = ruleset.splitlines().index(f"{come} {B.subnet} ip daddr {A.subnet} accept")
    assert all("accept" not in line for line in ruleset.splitlines()[5:first] if VIRTUAL in line)


@pytest.mark.parametrize("libipsec", [True, False])
def test_nft_takes_the_rules(libipsec: bool) -> None:
    many = [
        {**WEB, "port": number, "protocol": protocol, "members": [f"{ONE}:{number}"]}
        for protocol in ("tcp", "udp", "sctp")
        for number in range(1, MOST_PAIRS // 3)
    ]
    whole = {"address": "192.168.10.51", "port": None, "protocol": None, "members": [ONE, TWO]}
    peers = [B.subnet, "10.9.0.0/16", "10.9.1.0/24"]
    one = [connect(A, B, peer_subnets=peers)]
    ruleset = _make_ruleset(*many, whole, libipsec=libipsec, members=one)
    text = f"table inet ovnsvc {{\n{ruleset}}}\n"
    argv = ["unshare", "--net", "nft", "--check", "-f", "-"]
    done = subprocess.run(argv, input=text, text=True, capture_output=True, check=False)
    if "not permitted" in done.stderr:
        pytest.skip("needs root")
    assert (done.returncode, done.stderr) == (0, "")
