"""Why a tunnel is not up, told by real charons: each cause, both versions of IKE, both sides.

The container A opens the tunnel and B waits for it.  Where B, or A, has to be
somebody whom our own configuration never makes, its charon is given a
connection by hand.
"""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import vici

from ..services.ipsec.host import connections
from ..services.ipsec.host.ike import find_name
from .ovsdb import wait_until
from .rig import A, B, Rig, Side, connect, run_rig

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

Message = dict[str, Any]
Change = Callable[[Message, vici.Session], None]
NOWHERE = Side(99)
_TIMEOUT_S = 14


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A and B without a connection; a test leaves them with one."""
    with run_rig(tmp_path_factory.mktemp("rig")) as made:
        for side in (A, B):
            made.bind(side)
            made.plug(side)
        yield made


class Case:
    """What A and B have, and what is told of it; '{}' in a sentence is the other's address."""

    def __init__(self, a: Message, b: Message, told_a: str, told_b: str, **by_hand: Any) -> None:
        self.settings = {A: a, B: {"initiate": False, **b}}
        self.told = {A: told_a.format(B.outer), B: told_b.format(A.outer)}
        self.by_hand = {A: by_hand.get("change_a"), B: by_hand.get("change_b")}
        self.psks = {A: "secret", B: by_hand.get("psk_b", "secret")}


def run(rig: Rig, case: Case, version: int) -> None:
    """Gives both sides their connections, and waits until each has told what it should."""
    make_empty(rig)
    for side, peer in ((B, A), (A, B)):
        settings = {"ike_version": version, **case.settings[side]}
        change = case.by_hand[side]
        # Whoever is changed by hand opens nothing before.
        if change is not None and side is A:
            settings["initiate"] = False
        connection = connect(side, peer, **settings)
        rig.bind(side, connection, psk=case.psks[side])
        rig.wait_running(side)
        if change is not None:
            change_by_hand(rig, side, connection, change)
    for side in (A, B):
        wait_told(rig, side, case.told[side])


def make_empty(rig: Rig) -> None:
    """Leaves A and B without a connection, so that nothing is known of the one before."""
    for side in (A, B):
        rig.bind(side)
    for side in (A, B):
        rig.wait_running(side)
    wait_until(lambda: not rig.sb.rows("Container_Item"), "the rows to go")


def wait_told(rig: Rig, side: Side, sentence: str) -> None:
    wait_until(lambda: is_told(rig, side, sentence), sentence, _TIMEOUT_S)


def is_told(rig: Rig, side: Side, sentence: str) -> bool:
    row = rig.tunnel(side)
    return row.get("state") != "up" and str(row.get("message", "")).startswith(sentence)


def change_by_hand(rig: Rig, side: Side, connection: Message, change: Change) -> None:
    """Gives the charon of 'side' the connection in another form; A opens it then."""
    message, child = format_message(connection), connection["id"]
    document = {"outer_addresses": [side.outer], "connections": [connection]}
    name = find_name(connections.parse(json.dumps(document)).connections[0])
    with socket.socket(socket.AF_UNIX) as connected:
        connected.connect(str(rig.directory / "containers" / side.name / "charon.vici"))
        session = vici.Session(connected)
        # In charon the names that people know stand before it.
        loaded = [each.decode() for each in session.get_conns()["conns"]]
        name = next((each for each in loaded if each.endswith(name)), name)
        change(message, session)
        session.load_conn({name: message})
        if side is A:
            list(session.initiate({"ike": name, "child": child, "timeout": -1}))


def format_message(connection: Message) -> Message:
    """Returns a connection as somebody else would configure it."""
    child = {
        "mode": "tunnel",
        "local_ts": connection["local_subnets"],
        "remote_ts": connection["peer_subnets"],
        "esp_proposals": connection["esp_proposals"],
    }
    return {
        "version": connection["ike_version"],
        "local_addrs": [connection["local_address"]],
        "remote_addrs": [connection["peer_address"]],
        "proposals": connection["ike_proposals"],
        "local": {"auth": "psk", "id": connection["local_id"]},
        "remote": {"auth": "psk", "id": connection["peer_id"]},
        "children": {connection["id"]: child},
    }


def _set_local_auth(method: str) -> Change:
    def change(message: Message, _session: vici.Session) -> None:
        message["local"]["auth"] = method

    return change


def _set_remote_auth(method: str) -> Change:
    def change(message: Message, _session: vici.Session) -> None:
        message["remote"]["auth"] = method

    return change


def _be_aggressive(message: Message, _session: vici.Session) -> None:
    message["aggressive"] = "yes"


def _lose_the_key(message: Message, session: vici.Session) -> None:
    for name in message["children"]:
        session.unload_shared({"id": name})


def _have_a_certificate(message: Message, session: vici.Session) -> None:
    """Makes B somebody who authenticates by a certificate that nobody has signed."""
    command = [
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=venus"),
        *("-addext", f"subjectAltName=IP:{B.outer}", "-keyout", "-", "-out", "-"),
    ]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    key, mark, certificate = made.partition("-----BEGIN CERTIFICATE-----")
    session.load_key({"type": "any", "data": key})
    message["local"] |= {"auth": "pubkey", "certs": [mark + certificate]}
    message["send_cert"] = "always"


OTHER_IKE = {"ike_proposals": ["aes256-sha256-modp2048"]}
OTHER_ESP = {"esp_proposals": ["aes256-sha256-modp2048"]}
OTHER_SUBNETS = {"peer_subnets": ["10.99.0.0/16"]}
ESN = {"esp_proposals": ["aes128-sha256-esn"]}
NO_IKE = "no proposal chosen: {} accepts none of our IKE algorithms, or has no connection with us"
NO_ESP = "no proposal chosen: {} accepts none of our ESP algorithms"
REFUSED = "authentication failed: {} refused our pre-shared key or identity"
IDENTITY = "authentication failed: {} has another identity, or expects another of us"
NO_KERNEL = "extended sequence numbers (esn) need ESP in the kernel"
NO_KEY = "authentication failed: no pre-shared key for the identity of {}"
CLOSED = "{} closed the connection"

V2 = {
    "no key": Case({}, {}, REFUSED, NO_KEY, change_b=_lose_the_key),
    "certificate": Case(
        {},
        {},
        "authentication failed: {} has a certificate in place of a pre-shared key",
        CLOSED,
        change_b=_have_a_certificate,
    ),
    "key": Case(
        {}, {}, REFUSED, "authentication failed: the pre-shared key of {} is not ours", psk_b="x"
    ),
    "ike": Case({}, OTHER_IKE, NO_IKE, "no proposal chosen: {} offers no IKE algorithms"),
    "esp": Case({}, OTHER_ESP, NO_ESP, "no proposal chosen: {} offers no ESP algorithms"),
    "subnets": Case(
        OTHER_SUBNETS,
        {},
        "traffic selectors refused: {} has other subnets",
        "traffic selectors refused: {} asks for other subnets",
    ),
    "peer id": Case({"peer_id": "venus"}, {}, REFUSED, IDENTITY),
    "local id": Case({}, {"peer_id": "mars"}, REFUSED, IDENTITY),
    "version": Case({"ike_version": 2}, {"ike_version": 1}, NO_IKE, "{} calls with the other ver"),
    "esn": Case(ESN, ESN, NO_ESP, NO_KERNEL),
    "eap": Case(
        *({}, {}, REFUSED, "authentication failed: {} asks for EAP in place of"),
        change_a=_set_local_auth("eap"),
    ),
    "another method": Case(
        {},
        {},
        REFUSED,
        "authentication failed: {} authenticates by pre-shared key, not by public key",
        change_b=_set_remote_auth("pubkey"),
    ),
}
V1 = {
    "no key": Case(
        {},
        {},
        "authentication failed: the pre-shared key of {} is probably not ours",
        NO_KEY,
        change_b=_lose_the_key,
    ),
    "key": Case(
        {},
        {},
        "authentication failed: the pre-shared key of {} is probably not ours",
        "authentication failed: the pre-shared key of {} is probably not ours",
        psk_b="x",
    ),
    "ike": V2["ike"],
    "esp": V2["esp"],
    "subnets": Case(
        OTHER_SUBNETS,
        {},
        "traffic selectors refused: the subnets of {} are not ours",
        "traffic selectors refused: the subnets of {} are not ours",
    ),
    "peer id": Case(
        {"peer_id": "venus"},
        {},
        "authentication failed: the identity of {0} is {0}, not venus",
        CLOSED,
    ),
    "local id": Case({}, {"peer_id": "mars"}, REFUSED, IDENTITY),
    "version": Case({"ike_version": 1}, {"ike_version": 2}, NO_IKE, "{} calls with the other ver"),
    "esn": Case(ESN, ESN, NO_KERNEL, NO_ESP),
    "aggressive": Case(
        *({}, {}, REFUSED, "{} calls in Aggressive Mode of IKE v1; only Main Mode is served"),
        change_a=_be_aggressive,
    ),
    "another method": Case(
        {},
        {},
        REFUSED,
        "authentication failed: {} asks for pre-shared key in Main Mode",
        change_b=_set_remote_auth("pubkey"),
    ),
}


@pytest.mark.parametrize("cause", V2)
def test_causes_with_ike_v2(rig: Rig, cause: str) -> None:
    run(rig, V2[cause], 2)


@pytest.mark.parametrize("cause", V1)
def test_causes_with_ike_v1(rig: Rig, cause: str) -> None:
    run(rig, V1[cause], 1)


@pytest.mark.parametrize("version", [1, 2])
def test_a_stranger_calls(rig: Rig, version: int) -> None:
    case = Case(
        {},
        {"peer_address": NOWHERE.outer},
        NO_IKE,
        f"waiting for {NOWHERE.outer} to initiate; {{}} calls, and no connection is with it",
    )
    run(rig, case, version)


def test_a_peer_calls_another_address_of_ours(rig: Rig) -> None:
    make_empty(rig)
    other = "1.0.0.31"
    connection = connect(B, A, initiate=False, local_address=other, local_id=other)
    document = {"outer_addresses": [B.outer, other], "connections": [connection]}
    rig.bind_type(B, "ipsec", json.dumps(document), {connection["id"]: "secret"})
    rig.wait_running(B)
    rig.bind(A, connect(A, B))
    wait_told(rig, B, f"{A.outer} calls {B.outer}; its connection is at {other}")


@pytest.mark.parametrize("version", [1, 2])
def test_packets_that_cannot_be_sent(rig: Rig, version: int) -> None:
    """The line has no IKE_SA: another tunnel of the same charon is not blamed."""
    make_empty(rig)
    route = ("ip", "-n", A.name, "route")
    rig.run(*route, "add", "unreachable", B.outer)
    first, second = (connect(A, each, ike_version=version) for each in (B, NOWHERE))
    rig.bind(A, first, second)
    told = {
        first["id"]: f"packets to {B.outer} cannot be sent: No route to host",
        second["id"]: f"no answer from {NOWHERE.outer} since ",
    }

    def is_all_told() -> bool:
        rows = {row["subject"]: row["message"] for row in rig.sb.rows("Container_Item")}
        return all(rows.get(key, "").startswith(each) for key, each in told.items())

    wait_until(is_all_told, "both", _TIMEOUT_S)
    rig.run(*route, "del", "unreachable", B.outer)
