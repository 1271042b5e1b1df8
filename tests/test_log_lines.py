"""Whom a line of charon's log is about."""

from __future__ import annotations

import pytest

from ..services.ipsec.host import reasons
from ..services.ipsec.host.tunnels import Tunnels
from .rig import Side, connect
from .test_controller_ipsec import A, B, make_settings
from .test_ipsec_tunnels import Watched

UNNAMED = {"ikesa-name": "(unnamed)", "ikesa-uniqueid": "5"}
NO_SA = {"ikesa-name": "", "ikesa-uniqueid": ""}
NO_CONFIG = "no IKE config found for {}...{}, sending NO_PROPOSAL_CHOSEN"


def make_two() -> Tunnels:
    """Returns the tunnels of one container to B and to another peer, loaded."""
    connections = make_settings(connect(A, B), connect(A, Side(12))).connections
    tunnels = Tunnels()
    tunnels.set_connections(connections)
    tunnels.set_loaded([each.id for each in connections])
    tunnels.take_due(0)
    return tunnels


def log(tunnels: Tunnels, message: str, **keys: str) -> bool:
    event = {"msg": message, **NO_SA, **keys}
    return tunnels.take_log({key: value.encode() for key, value in event.items()})


def messages(tunnels: Tunnels) -> dict[str, str]:
    """Returns what is told, by the peer's address."""
    addresses = {
        each.connection.id: each.connection.peer_address for each in tunnels.by_id.values()
    }
    return {addresses[each.name]: each.message for each in tunnels.items(True)}


def test_an_unnamed_sa_is_known_by_its_peer() -> None:
    tunnels = make_two()
    assert not log(tunnels, "received proposals unacceptable", **UNNAMED)
    assert not log(tunnels, f"{B.outer} is initiating a Main Mode IKE_SA", **UNNAMED)
    assert log(tunnels, "no proposal found", **UNNAMED)
    found = messages(tunnels)
    assert "no proposal chosen" in found[B.outer]
    assert found["1.0.0.12"] == "connecting to 1.0.0.12"


def test_what_has_no_sa_is_about_the_last_packet() -> None:
    tunnels = make_two()
    for address in ("1.0.0.12", B.outer):
        log(tunnels, f"sending packet: from 1.0.0.10[500] to {address}[500] (336 bytes)", **UNNAMED)
    assert log(tunnels, "error writing to socket: Network is unreachable")
    found = messages(tunnels)
    assert found[B.outer] == f"packets to {B.outer} cannot be sent: Network is unreachable"
    assert found["1.0.0.12"] == "connecting to 1.0.0.12"


@pytest.mark.parametrize(
    "line",
    [
        "message parsing failed",
        "could not decrypt payloads",
        "no proposal found",
        "integrity check failed",
    ],
)
def test_a_broken_packet_of_somebody_blames_nobody(line: str) -> None:
    """Charon has no IKE_SA for it, and the last packet went to a peer that is well."""
    tunnels = make_two()
    sent = f"sending packet: from 1.0.0.10[500] to {B.outer}[500] (336 bytes)"
    log(tunnels, sent, **UNNAMED)
    before = messages(tunnels)
    assert not log(tunnels, line)
    assert messages(tunnels) == before


def test_an_address_in_the_line_itself() -> None:
    tunnels = make_two()
    assert log(tunnels, f"ignoring IKE_SA setup from {B.outer}, job load of 9 exceeds limit of 8")
    assert messages(tunnels)[B.outer].startswith("charon has too much to do: job load of 9")


def test_what_follows_does_not_take_the_place_of_the_cause() -> None:
    watched = Watched()
    watched.tunnels.take_due(0)
    watched.log("could not decrypt payloads")
    watched.log("message parsing failed")
    watched.log("giving up after 6 retransmits")
    assert watched.item.message.endswith("the pre-shared key of 1.0.0.11 is probably not ours")
    watched.log("peer not responding, trying again (2/0)")
    watched.log("sending retransmit 1 of request message ID 0, seq 1")
    assert watched.item.message == "no answer from 1.0.0.11 since 1970-01-01T00:00:00Z"


def test_another_sa_is_another_attempt() -> None:
    watched = Watched()
    watched.tunnels.take_due(0)
    watched.log("received AUTHENTICATION_FAILED notify error")
    watched.log("retransmit 1 of request with message ID 0", **{"ikesa-uniqueid": "2"})
    assert watched.item.message == "no answer from 1.0.0.11 since 1970-01-01T00:00:00Z"


def test_a_charon_that_was_begun_anew_counts_anew() -> None:
    watched = Watched()
    watched.log("received AUTHENTICATION_FAILED notify error")
    watched.tunnels.reset(1)
    watched.log("retransmit 1 of request with message ID 0")
    assert watched.item.message == "no answer from 1.0.0.11 since 1970-01-01T00:00:00Z"


def test_a_known_peer_with_another_version_of_ike() -> None:
    tunnels = make_two()
    assert log(tunnels, NO_CONFIG.format(A.outer, B.outer), **UNNAMED)
    assert messages(tunnels)[B.outer] == f"{B.outer} calls with the other version of IKE"
    assert log(tunnels, NO_CONFIG.format("1.0.0.31", B.outer), **UNNAMED)
    assert messages(tunnels)[B.outer].endswith(f"calls 1.0.0.31; its connection is at {A.outer}")


def test_a_peer_whose_connection_is_not_loaded_yet_is_not_blamed() -> None:
    tunnels = make_two()
    tunnels.set_loaded([])
    log(tunnels, NO_CONFIG.format(A.outer, B.outer), **UNNAMED)
    assert messages(tunnels)[B.outer] == f"connecting to {B.outer}"


def test_a_stranger_is_told_where_a_peer_is_silent_until_it_calls_no_more() -> None:
    tunnels = make_two()
    assert log(tunnels, NO_CONFIG.format(A.outer, "1.0.0.77"), **UNNAMED)
    assert not log(tunnels, NO_CONFIG.format(A.outer, "1.0.0.78"), **UNNAMED)
    assert not log(tunnels, NO_CONFIG.format(A.outer, "1.0.0.77"), **UNNAMED)
    log(tunnels, f"{B.outer} is initiating an IKE_SA", **UNNAMED)
    log(tunnels, "received proposals unacceptable", **UNNAMED)
    calls = "1.0.0.77 calls, and no connection is with it"
    found = messages(tunnels)
    assert found["1.0.0.12"] == f"connecting to 1.0.0.12; {calls}"
    assert calls not in found[B.outer]
    tunnels.take_sas([], 1_000)
    tunnels.take_sas([], 60_999)
    assert calls in messages(tunnels)["1.0.0.12"]
    tunnels.take_sas([], 61_000)
    assert calls not in messages(tunnels)["1.0.0.12"]


def test_what_a_peer_chose_is_not_searched() -> None:
    """A peer's identity, or a vendor ID of its own, is no word of charon's."""
    tunnels = make_two()
    evil = "IDir 'evil' does not match to 'call me'"
    line = f"looking for pre-shared key peer configs matching {A.outer}...{B.outer}[{evil}]"
    assert not log(tunnels, f"looking for peer configs matching x...1.0.0.12[{evil}]", **UNNAMED)
    assert not log(tunnels, line, **UNNAMED)
    assert not log(tunnels, f"authentication of '{evil}' with pre-shared key successful")
    assert not log(tunnels, "received unknown vendor ID: " + "ab:" * 9000)
    told = reasons.clean("no shared key found for '1.0.0.1' - 'giving up after 3 retransmits'")
    assert told == "no shared key found for ''"
    assert len(reasons.clean("x" * 100_000)) < 300
    subnets = " ".join(f"10.{number}.0.0/16" for number in range(200))
    known = log(tunnels, f"traffic selectors {subnets} === 10.9.0.0/16 unacceptable", **UNNAMED)
    assert not known  # nobody knows yet whose it is
    assert reasons.find_reason(reasons.clean(f"traffic selectors {subnets} unacceptable"), "P")
