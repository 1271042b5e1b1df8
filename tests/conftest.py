"""Fixtures that tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import ovs.stream
import pytest
from hypothesis import settings

from ..lib import dirs, tls_stream
from ..lib.tls import Keys
from .bench import Bench
from .cloud import Cloud, make_vpn_cloud
from .logs import LOGS, Logs
from .ovn_south import start_ovn_southbound
from .ovsdb import Database, Databases
from .rig import A, B, Rig, connect, run_rig
from .sessions import Sessions
from .svcctl import Svcctl

LOGS.install()
# How long an example takes is up to what else the machine does.
settings.register_profile("ovnsvc", deadline=None)
settings.load_profile("ovnsvc")


@pytest.fixture
def logs() -> Logs:
    """What is logged during the test."""
    LOGS.clear()
    return LOGS


@pytest.fixture
def tls_streams() -> Iterator[None]:
    """The streams of a daemon for ssl: remotes, without keys."""
    others = ovs.stream.Stream._SOCKET_METHODS["ssl:"]
    tls_stream.register()
    yield
    tls_stream.use(Keys())
    tls_stream._PROCESS.own = None
    ovs.stream.Stream.register_method("ssl", others)


@pytest.fixture
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Real, empty SVC_Northbound, SVC_Southbound and OVN_Northbound."""
    # The path of a unix socket has at most 107 bytes, so not under the test's name.
    directory: Path = tmp_path_factory.mktemp("db")
    servers = Databases(directory)
    yield servers
    servers.stop()


@pytest.fixture
def ovn_sb(databases: Databases) -> Iterator[Database]:
    """A real OVN_Southbound with the chassis hv1 to hv3."""
    database = start_ovn_southbound(databases.directory)
    yield database
    database.stop()


@pytest.fixture
def served_cloud(databases: Databases, logs: Logs) -> Iterator[Cloud]:
    """A cloud with a VPN that runs; the laws hold at the end."""
    made = Cloud(databases, logs)
    made.add_chassis("hv1", "hv2")
    made.add_router("tenant-router")
    made.add_connection(made.add_vpn("mercury", "tenant-router"), "to-venus")
    made.settle()
    yield made
    made.laws()
    made.northd.close()


@pytest.fixture
def router_cloud(databases: Databases, logs: Logs) -> Iterator[Cloud]:
    """A cloud of three chassis and one router, without a VPN; the laws hold at the end."""
    made = Cloud(databases, logs)
    made.add_chassis("hv1", "hv2", "hv3")
    made.add_router("tenant-router")
    made.settle()
    yield made
    made.laws()
    made.northd.close()


@pytest.fixture
def vpn_cloud(databases: Databases, logs: Logs) -> Iterator[Cloud]:
    """A cloud of three chassis with a VPN that is placed; the laws hold at the end."""
    made = make_vpn_cloud(databases, logs)
    made.settle()
    yield made
    made.laws()
    made.northd.close()


@pytest.fixture
def sessions(logs: Logs) -> Iterator[Sessions]:
    """Sessions with those databases; nothing may have warned at the end."""
    made = Sessions()
    yield made
    made.close()
    assert logs.find_warnings() == []


@pytest.fixture
def svcctl(databases: Databases) -> Svcctl:
    """The command svcctl, on the databases of the test."""
    return Svcctl(databases)


@pytest.fixture
def bench(
    tmp_path_factory: pytest.TempPathFactory, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    """A svc-controller on a host in memory; the local Open_vSwitch is still empty."""
    directory: Path = tmp_path_factory.mktemp("b")
    monkeypatch.setattr(dirs, "RUNDIR", str(directory))
    monkeypatch.setattr(dirs, "SYSCONFDIR", str(directory / "etc"))
    monkeypatch.setattr(dirs, "LOGDIR", str(directory / "logs"))
    made = Bench(directory, logs)
    yield made
    made.stop()


@pytest.fixture
def chassis(bench: Bench) -> Bench:
    """A bench whose chassis has registered."""
    bench.open_switch()
    bench.until(lambda: bench.sb.rows("Chassis"), "the chassis to register")
    return bench


@pytest.fixture
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A chassis with a registered svc-controller."""
    with run_rig(tmp_path_factory.mktemp("rig")) as chassis:
        yield chassis


@pytest.fixture
def tunnel(rig: Rig) -> Rig:
    """Two containers with a tunnel between them; the first initiates."""
    rig.bind(A, connect(A, B))
    rig.bind(B, connect(B, A, initiate=False))
    for side in (A, B):
        rig.plug(side)
        rig.wait_running(side)
    for side in (A, B):
        rig.wait_tunnel(side, "up")
    return rig
