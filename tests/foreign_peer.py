"""A gateway that is not ours, in a rig: a plain charon, told by vici what its administrator wants.

It is a namespace on a link to the rig's own, which routes to it.  It has one
address of its own, the first one of each of its subnets, and a log.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import vici

from .ovsdb import wait_until
from .rig import Rig, Side

_CONFIGURATION = """\
charon-systemd {{
    load = random nonce aes sha1 sha2 hmac kdf openssl gcm kernel-libipsec kernel-netlink \
socket-default vici
    install_virtual_ip = no
    retransmit_timeout = 0.5
    retransmit_tries = 3
    make_before_break = yes
    plugins {{
        vici {{
            socket = unix://{socket}
        }}
    }}
    filelog {{
        log {{
            path = {log}
            flush_line = yes
        }}
    }}
    journal {{
        default = -1
    }}
}}
"""
PSK = "secret"


class ForeignPeer:
    """The gateway of 'side', with 'subnets' behind it."""

    def __init__(self, rig: Rig, side: Side, subnets: Sequence[str] = ()) -> None:
        self._rig = rig
        self.side = side
        self.subnets = tuple(subnets) or (side.subnet,)
        self.log_path = rig.directory / f"{side.name}.log"
        self._socket = rig.directory / f"{side.name}.vici"
        self._link()
        self._start()

    def load(self, name: str, local: Side, children: Sequence[dict[str, Any]], **ike: Any) -> None:
        """Gives it a connection with 'local'; 'children' and 'ike' are in vici's words."""
        message = {
            "version": "2",
            "local_addrs": [self.side.outer],
            "remote_addrs": [local.outer],
            "proposals": ["aes128-sha256-modp2048"],
            "local": {"auth": "psk", "id": self.side.outer},
            "remote": {"auth": "psk", "id": local.outer},
            "children": {f"{name}{number}": each for number, each in enumerate(children)},
            **ike,
        }
        owners = [self.side.outer, local.outer]
        with self.control() as session:
            session.load_shared({"id": name, "type": "IKE", "data": PSK, "owners": owners})
            session.load_conn({name: message})

    @contextmanager
    def control(self) -> Iterator[vici.Session]:
        """Yields a session with its charon."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(20)
        connection.connect(str(self._socket))
        session = vici.Session(connection)
        try:
            yield session
        finally:
            connection.close()

    def initiate(self, child: str) -> None:
        """Has it begin a child SA; raises vici.exception.CommandException if that fails."""
        with self.control() as session:
            list(session.initiate({"child": child, "timeout": "8000"}))

    def list_children(self) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
        """Returns the local and remote selectors of each child SA that is installed."""
        with self.control() as session:
            sas = list(session.list_sas())
        return sorted(
            (_read(child["local-ts"]), _read(child["remote-ts"]))
            for event in sas
            for ike_sa in event.values()
            for child in ike_sa["child-sas"].values()
            if child["state"] == b"INSTALLED"
        )

    def count_ike_sas(self) -> int:
        """Returns how many IKE_SAs it has."""
        with self.control() as session:
            return sum(len(event) for event in session.list_sas())

    def ping(self, source: str, destination: str) -> bool:
        """Returns whether one packet through the tunnel is answered."""
        command = ("ping", "-c1", "-W2", "-I", source, destination)
        printed = self._rig.run("ip", "netns", "exec", self.side.name, *command, check=False)
        return " 0% packet loss" in printed

    def find_in_log(self, phrase: str) -> list[str]:
        """Returns the lines of its log that a regular expression is found in."""
        lines = self.log_path.read_text().splitlines()
        return [line for line in lines if re.search(phrase, line)]

    # -- helpers -----------------------------------------------------------------

    def _link(self) -> None:
        name, run = self.side.name, self._rig.run
        run("ip", "netns", "add", name)
        run("ip", "link", "add", name, "type", "veth", "peer", "name", "wan", "netns", name)
        run("ip", "addr", "add", f"{self.side.gateway}/30", "dev", name)
        run("ip", "link", "set", name, "up")
        inside = ("ip", "-n", name)
        run(*inside, "link", "set", "lo", "up")
        run(*inside, "link", "set", "wan", "up")
        run(*inside, "addr", "add", f"{self.side.address}/30", "dev", "wan")
        run(*inside, "addr", "add", f"{self.side.outer}/32", "dev", "lo")
        for subnet in self.subnets:
            address = str(ipaddress.ip_network(subnet)[1])
            run(*inside, "addr", "add", f"{address}/32", "dev", "lo")
        route = ("route", "add", "default", "via", self.side.gateway, "src", self.side.outer)
        run(*inside, *route)
        run("ip", "route", "add", f"{self.side.outer}/32", "via", self.side.address)

    def _start(self) -> None:
        path = self._rig.directory / f"{self.side.name}.conf"
        path.write_text(_CONFIGURATION.format(socket=self._socket, log=self.log_path))
        script = f"STRONGSWAN_CONF={path} exec charon-systemd >/dev/null 2>&1 &"
        self._rig.run("ip", "netns", "exec", self.side.name, "sh", "-c", script)
        wait_until(self._answers, "the foreign charon")

    def _answers(self) -> bool:
        if not Path(self._socket).exists():
            return False
        try:
            with self.control() as session:
                session.version()
        except OSError:
            return False
        return True


def _read(selectors: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(sorted(each.decode() for each in selectors))
