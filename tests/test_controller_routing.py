"""Routes and rules in a real namespace: what is read is what was made."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ..controller.host.kinds import sort_routes, sort_rules
from ..services.api.host import LOCAL, UNREACHABLE, Route, Rule

ROUTES = (
    Route("0.0.0.0/0", "10.0.0.1", interface="lan"),
    Route("192.168.7.0/24", kind=UNREACHABLE),
    Route("fd00:7::/64", kind=UNREACHABLE),
    Route("0.0.0.0/0", kind=LOCAL, table=100),
    Route("10.9.0.0/16", "10.0.0.2", table=770, interface="lan"),
)
RULES = (
    Rule(100, 100, mark=1),
    Rule(101, 770, source="10.9.0.0/16"),
    Rule(100, 100, ip_version=6, mark=2),
)
STEPS = ((ROUTES, RULES), (ROUTES[:2], RULES[1:]), ((), ()))

CODE = """
import socket
from ovnsvc.controller.linux.link import find_link, opened
from ovnsvc.controller.linux.routing import read_routes, read_rules, sync_routes, sync_rules
from ovnsvc.tests.test_controller_routing import STEPS
with opened() as route:
    route.link("set", index=1, state="up")
    route.link("add", ifname="lan", kind="veth", peer={"ifname": "peer"})
    ports = {"lan": find_link(route, "lan")["index"]}
    for name in ("lan", "peer"):
        route.link("set", index=find_link(route, name)["index"], state="up")
    route.addr("add", index=ports["lan"], address="10.0.0.5", prefixlen=24)
    foreign = len(route.get_rules(family=socket.AF_INET))
    for routes, rules in STEPS:
        sync_routes(route, ports, routes)
        sync_rules(route, rules)
        print(repr((read_routes(route, ports), read_rules(route))))
    assert len(route.get_rules(family=socket.AF_INET)) == foreign
"""


@pytest.mark.system
def test_what_is_read_is_what_was_made() -> None:
    command = ["unshare", "--net", sys.executable, "-c", CODE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    wanted = [repr((sort_routes(routes), sort_rules(rules))) for routes, rules in STEPS]
    assert done.stdout.splitlines() == wanted
