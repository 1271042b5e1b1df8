"""Load balancers of OVN with an address in the local subnet, as the remote site meets them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from ...utilities.lab import process, tenant, traffic
from .site import SITE_HOST, SITE_LAN, VM1, VM2, Operator

ADDRESS = "192.168.1.100"
PORT, MEMBER_PORT = "80", "8080"
REQUESTS = 40
BALANCER = "web"
SERVER = """
import socket, sys
with socket.create_server(("0.0.0.0", int(sys.argv[1]))) as server:
    print("ready", flush=True)
    while True:
        link, _ = server.accept()
        with link:
            link.sendall(sys.argv[2].encode())
"""
CLIENT = """
import socket, sys
for _ in range(int(sys.argv[3])):
    try:
        with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2) as link:
            print(link.makefile().read())
    except OSError as error:
        print(type(error).__name__)
"""


@pytest.fixture
def servers(operator: Operator) -> Iterator[None]:
    """A server on each of two guests, which says its name."""
    with contextlib.ExitStack() as stack:
        for guest in ("vm1", "vm2"):
            server = ("python3", "-c", SERVER, MEMBER_PORT, guest)
            argv = traffic.find_command(operator.lab, guest, *traffic.DIE_WITH_PARENT, *server)
            started = stack.enter_context(traffic.running(argv))
            assert started.stdout is not None
            assert started.stdout.readline().strip() == "ready"
        yield


@pytest.fixture
def nbctl(operator: Operator) -> Iterator[Operator]:
    """An operator whose load balancer is gone afterwards."""
    yield operator
    _set_balancer(operator, "--if-exists", "lb-del", BALANCER)


def _set_balancer(operator: Operator, *words: str) -> None:
    operator.host("central").run("ovn-nbctl", "--wait=hv", *words)


def _ask(operator: Operator, address: str, port: str, times: int = 1) -> list[str]:
    """Returns what the remote site was answered, or the kind of its failure."""
    client = ("python3", "-c", CLIENT, address, port, str(times))
    argv = traffic.find_command(operator.lab, SITE_LAN, *client)
    return process.run(argv, timeout_s=60).split()


@pytest.mark.parametrize("holder", ["lr-lb-add", "ls-lb-add"])
@pytest.mark.usefixtures("servers")
def test_the_remote_site_reaches_a_load_balancer(nbctl: Operator, holder: str) -> None:
    operator = nbctl
    operator.add_vpn_and_wait()
    ping = operator.ping("vm1")
    ping.wait_answers(5)
    name = tenant.ROUTER if holder == "lr-lb-add" else tenant.FIRST.switch
    members = f"{VM1}:{MEMBER_PORT},{VM2}:{MEMBER_PORT}"
    _set_balancer(operator, "lb-add", BALANCER, f"{ADDRESS}:{PORT}", members, "tcp")
    _set_balancer(operator, holder, name, BALANCER)
    operator.wait(lambda: _ask(operator, ADDRESS, PORT) in (["vm1"], ["vm2"]), "an answer")
    answers = _ask(operator, ADDRESS, PORT, REQUESTS)
    assert len(answers) == REQUESTS
    assert set(answers) == {"vm1", "vm2"}
    assert _ask(operator, VM1, MEMBER_PORT, 5) == ["vm1"] * 5, "a member by its own address"
    assert _ask(operator, VM2, MEMBER_PORT, 5) == ["vm2"] * 5

    # The answers of one from elsewhere would not come back through the tunnel.
    vips = f'vips={{"{ADDRESS}:{PORT}"="{tenant.UPSTREAM}:{PORT}"}}'
    _set_balancer(operator, "set", "Load_Balancer", BALANCER, vips)
    refused = ["ConnectionRefusedError"]
    operator.wait(lambda: _ask(operator, ADDRESS, PORT) == refused, "a refusal")
    assert traffic.is_reachable(operator.lab, "vm1", SITE_HOST)
    ping.wait_answers(5)
    assert ping.stop().lost == 0, "packets of the tunnel while load balancers changed"
