"""svc-controller over TLS: the row SSL of the local Open_vSwitch, and what is told of keys."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ..controller import commands
from ..lib import loop
from .bench import Bench
from .logs import Logs
from .pki import Authority, Issued
from .rig import to_map
from .tls import find_free_port


@dataclass
class Host:
    """A chassis whose southbound is at an ssl: remote, without keys as yet."""

    bench: Bench
    servers: Authority
    chassis: Authority
    own: Issued

    def set_ssl(self, **columns: Any) -> None:
        """Does what 'ovs-vsctl set-ssl' does, for this chassis' keys or others."""
        row = {
            "private_key": str(self.own.key),
            "certificate": str(self.own.certificate),
            "ca_cert": str(self.servers.path),
            **columns,
        }
        self.bench.ovs.transact(
            {"op": "insert", "table": "SSL", "uuid-name": "s", "row": row},
            {"op": "update", "table": "Open_vSwitch", "where": [], "row": {"ssl": _SSL}},
        )

    def del_ssl(self) -> None:
        self.bench.ovs.update("Open_vSwitch", [], ssl=["set", []])

    def until_registered(self) -> None:
        self.bench.until(lambda: self.bench.controller.registered, "the registration")

    def until_told(self, words: str) -> None:
        def said() -> str:
            return commands.connection_status(self.bench.controller)

        self.bench.until(lambda: words in said(), words)
        assert said().count("\n") == 1

    def read_warnings(self) -> str:
        (row,) = self.bench.sb.rows("Chassis_Private")
        return str(row["warnings"])


_SSL = ["named-uuid", "s"]


@pytest.fixture
def host(tmp_path_factory: pytest.TempPathFactory, logs: Logs, tls_streams: None) -> Iterator[Host]:
    directory: Path = tmp_path_factory.mktemp("tls")
    servers, chassis = (
        Authority(directory, "controllers", days=99),
        Authority(directory, "switches"),
    )
    keys = servers.issue("central", days=90)
    bench = Bench(directory, logs)
    port = find_free_port()
    bench.sb.restart(f"--remote=pssl:{port}:127.0.0.1", *keys.options(chassis.path))
    bench.open_switch(**{"svc-remote": f"ssl:127.0.0.1:{port}"})
    yield Host(bench, servers, chassis, chassis.issue("hv1", days=90))
    bench.stop()


def test_the_row_of_the_local_open_vswitch_is_followed(host: Host) -> None:
    host.until_told("TLS needs --private-key and --certificate and --ca-cert, or 'ovs-vsctl")
    host.set_ssl()
    host.until_registered()
    # Open connections go on without; the next one has no keys.
    host.del_ssl()
    host.bench.until_beats(1)
    host.bench.sb.restart()
    host.until_told("TLS needs --private-key")
    host.set_ssl(private_key="")
    host.until_told("TLS needs the local SSL:private_key")
    host.set_ssl(certificate=str(host.chassis.issue("hv2").certificate))
    host.until_told("is not the key of the local SSL:certificate")
    host.set_ssl()
    host.until_registered()


def test_the_ca_of_the_southbound_is_taken_where_the_row_says_so(host: Host) -> None:
    path = host.bench.directory / "ca.pem"
    host.bench.sb.restart(*host.bench.sb.options, f"--peer-ca-cert={host.servers.path}")
    host.set_ssl(ca_cert=str(path), bootstrap_ca_cert=True)
    host.until_registered()
    assert path.read_bytes() == host.servers.path.read_bytes()


def test_no_content_of_the_row_harms_anything(host: Host) -> None:
    directory = host.bench.directory
    os.mkfifo(directory / "fifo")
    with (directory / "huge").open("wb") as file:
        file.truncate(1 << 40)
    columns = ("private_key", "certificate", "ca_cert")
    names = (directory / "fifo", directory / "huge", directory, "/dev/zero", "x" * 100_000, "a\nb")
    for name, column in zip(map(str, names), itertools.cycle(columns), strict=False):
        host.set_ssl(**{column: name})
        host.until_told(f"the local SSL:{column} ")
    host.set_ssl(ca_cert="/nono/x", bootstrap_ca_cert=True)
    host.until_told("/nono/x")
    host.set_ssl()
    host.until_registered()


def test_certificates_that_end_soon_are_told(host: Host, logs: Logs) -> None:
    bench = host.bench
    host.set_ssl()
    host.until_registered()
    assert "certificate" not in host.read_warnings()
    host.chassis.issue("hv1", days=6.5)
    words = f"certificate of CN hv1 ({host.own.certificate}) ends "
    loop.warp(31_000)
    bench.until(lambda: words in host.read_warnings(), "the warning")
    assert "(in 6 days): after that no new connection can be made with it" in host.read_warnings()
    assert logs.count(words) == 1
    # The wall clock is behind, and is set.
    loop.warp_wall(10 * 86_400_000)
    loop.warp(31_000)
    bench.until(lambda: "by the clock of this host" in host.read_warnings(), "the end")
    loop.warp_wall(-10 * 86_400_000)
    host.own.key.rename(f"{host.own.key}.old")
    loop.warp(31_000)
    bench.until(
        lambda: "the next connection by TLS will fail" in host.read_warnings(), "the failure"
    )
    # What is mended is told no more soon after.
    host.chassis.issue("hv1", days=90)
    loop.warp(2_000)
    bench.until(lambda: "onnection" not in host.read_warnings(), "no more warnings")
    assert bench.controller.registered


def test_one_that_goes_back_to_tcp_is_told_of_no_keys(host: Host) -> None:
    bench, port = host.bench, find_free_port()
    host.set_ssl()
    host.until_registered()
    bench.sb.options = (*bench.sb.options, f"--remote=ptcp:{port}:127.0.0.1")
    bench.sb.stop()
    bench.sb.start()
    host.del_ssl()
    words = "the next connection by TLS will fail: TLS needs"
    ids = {"system-id": "hv1", "svc-remote": f"tcp:127.0.0.1:{port}"}
    bench.ovs.update("Open_vSwitch", [], external_ids=to_map(ids))
    host.until_registered()
    bench.until_beats(2)
    assert words not in host.read_warnings()


def test_the_ca_that_ends_soon_is_told(host: Host) -> None:
    soon = Authority(host.bench.directory, "old", days=6.5)
    host.servers.path.write_bytes(host.servers.path.read_bytes() + soon.path.read_bytes())
    host.set_ssl()
    host.until_registered()
    assert "certificate" not in host.read_warnings()
    kept = host.servers.path.read_bytes()
    host.servers.path.write_bytes(soon.path.read_bytes())
    loop.warp(31_000)
    words = f"CA certificate of CN old ({host.servers.path}) ends "
    host.bench.until(lambda: words in host.read_warnings(), "the warning")
    host.servers.path.write_bytes(kept)
    host.bench.ovs.update("Open_vSwitch", [], external_ids=to_map(host.bench.ids))
