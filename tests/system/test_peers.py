"""Remote sites of each kind that the lab has: they come up, and are as they are to be."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator

import pytest

from ...utilities.lab import cloud, tenant, traffic
from ...utilities.lab.peer_conf import CLOSING_S, KINDS, LOG
from .conftest import SVC_LAB
from .site import DIRECTORY, EXTERNAL, Operator

PEER = "ceres"
ADDRESS = "1.0.0.50"
SUBNETS = ("192.168.60.0/24", "192.168.62.0/24")
HOSTS = ("192.168.60.10", "192.168.62.10")

# What the peer's own list of SAs has of the first child (swanctl(8), --list-sas).
SEEN = {
    "stock": r"local  192\.168\.60\.0/24 192\.168\.62\.0/24\n",
    "one-pair": r"local  192\.168\.6[02]\.0/24\n",
    "no-pfs": r"ESP:AES_CBC-256/HMAC_SHA2_256_128\n",
    "ikev1": r"ESTABLISHED, IKEv1,",
    "narrowing": r"local  192\.168\.60\.0/25 192\.168\.62\.0/25\n",
    "closing": r"expires in \d\ds",
}


@pytest.fixture
def peer(operator: Operator) -> Iterator[str]:
    """The name of a peer that the test adds."""
    yield PEER
    if operator.lab.find_host(PEER):
        cloud.del_peer(operator.lab, PEER)


@pytest.mark.parametrize("like", KINDS)
def test_peer_comes_up(operator: Operator, peer: str, like: str) -> None:
    add_peer(operator, peer, like)
    operator.svcctl("vpn-add", "mercury", tenant.ROUTER, EXTERNAL, tenant.SUBNET)
    words = ["conn-add", "mercury", "to-ceres", ADDRESS, ",".join(SUBNETS)]
    if like == "ikev1":
        operator.svcctl("ike-policy-add", "old", "ike_version=v1")
        words.append("--ike-policy=old")
    operator.svcctl("--wait=hv", *words, f"--psk-file={operator.psk_file}")
    status = "partial" if like == "narrowing" else "up"
    operator.wait(lambda: operator.row("VPN_Service")["status"] == status, f"status {status}")
    host = operator.host(peer)
    sas = host.run("swanctl", "--list-sas")
    assert re.search(SEEN[like], sas), sas
    for host_behind in HOSTS:
        traffic.wait_reachable(operator.lab, "vm1", host_behind, 10)
    if like == "closing":
        log = host.directory / LOG.removeprefix("/")
        closed = "closing expired CHILD_SA"
        operator.wait(lambda: closed in log.read_text(), closed, 2 * CLOSING_S)


def add_peer(operator: Operator, name: str, like: str) -> None:
    """Adds a peer by the command, as a user does."""
    options = (f"--like={like}", f"--psk-file={operator.psk_file}")
    subprocess.run(
        [str(SVC_LAB), "add-peer", name, f"{ADDRESS}/24", *SUBNETS, *options],
        env={**os.environ, "SVC_LAB_DIR": DIRECTORY},
        check=True,
        timeout=60,
    )
