"""The host half: a container's configuration to its network and its one program."""

from __future__ import annotations

import ipaddress
import json
import os
import sys
from typing import Any

from ovnsvc.lib.errors import ConfigError
from ovnsvc.services.api.host import LOCAL, Address, Network, Plan, Probe, Route, Site
from ovnsvc.services.api.program import File, Health, Program, TcpCheck

# Not that of a virtual environment, which the user of the program need not be able to read.
_PYTHON = os.path.realpath(sys.executable)
_SERVER = os.path.join(os.path.dirname(__file__), "server.py")
_ANYWHERE = {4: "0.0.0.0/0", 6: "::/0"}


class EchoHost:
    """A services.api HostHalf; svc-controller runs the program by itself."""

    def probe(self) -> Probe:
        """Returns that any host can run it."""
        return Probe()

    def plan(self, configuration: str, site: Site) -> Plan:
        """Returns what a container needs; raises ConfigError."""
        settings = _parse(configuration)
        server = Program(
            name="server",
            argv=(_PYTHON, _SERVER, "settings.json", "token", "status.json"),
            files=(
                File("settings.json", json.dumps(settings)),
                File("token", secret=settings["secret"]),
            ),
            user=settings.get("user", "root"),
            health=Health(TcpCheck(settings["port"]), interval_ms=2000, timeout_ms=1000),
            status="status.json",
        )
        return Plan(_make_network(settings, site), (server,))


def _make_network(settings: dict[str, Any], site: Site) -> Network:
    port = site.ports[0]
    routes = [
        Route(_ANYWHERE[ipaddress.ip_address(gateway).version], gateway)
        for gateway in port.gateways
    ]
    # Whatever address of the subnet a client means, it is answered here.
    routes.append(Route(settings["destination"], kind=LOCAL))
    outer = ipaddress.ip_address(settings["address"])
    return Network(
        addresses=tuple(Address(each, port.interface) for each in port.addresses),
        loopback=(f"{outer}/{outer.max_prefixlen}",),
        routes=tuple(sorted(routes, key=lambda each: (each.destination, each.gateway or ""))),
    )


def _parse(configuration: str) -> dict[str, Any]:
    try:
        settings = dict(json.loads(configuration))
        settings["port"] = int(settings["port"])
        settings["address"] = str(ipaddress.ip_address(settings["address"]))
        settings["destination"] = str(ipaddress.ip_network(settings["destination"]))
        settings["secret"] = str(settings["secret"])
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"the configuration makes no sense: {error!r}") from error
    return settings


HALF = EchoHost()
