"""The lab that the system tests share, and one VPN for each test that wants it.

The lab is taken down when the test run ends, however it ends: a process that
only waits for the end of this one sees to it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ...utilities.lab import cloud, tenant, traffic, transport
from ...utilities.lab.soak_laws import REFUSED, read_logs
from ...utilities.lab.state import Lab
from .scene import TENANTS, Scene
from .site import DIRECTORY, PSK, Operator

SVC_LAB = Path(__file__).parents[2] / "utilities" / "svc-lab"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test of this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.system)
            item.add_marker(pytest.mark.timeout(120))


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A cloud of three chassis and two svc-northds, with two tenants and their remote sites."""
    made = Lab(Path(DIRECTORY))
    cloud.down(made, print)
    keeper = subprocess.Popen(
        ["/bin/sh", "-c", f"cat; SVC_LAB_DIR={DIRECTORY} exec {SVC_LAB} down"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    cloud.up(made, cloud.Plan(3, northds=2), print)
    for each in TENANTS.values():
        tenant.build(made, print, each)
        tenant.add_site(made, each, PSK)
    yield made
    assert keeper.stdin is not None
    keeper.stdin.close()
    assert keeper.wait(60) == 0


@pytest.fixture
def operator(lab: Lab, tmp_path: Path) -> Iterator[Operator]:
    """Somebody with svcctl; what they made is gone afterwards, every host and process is back.

    It is a law for every test that nothing between the sites left in clear while it ran, and that
    no role refused what a daemon of ours wrote.
    """
    made = Operator(lab, tmp_path)
    made.wait_whole()
    made.capture = capture = traffic.Capture(lab, tmp_path / "during.pcap")
    read_to: dict[Path, int] = {}
    read_logs(lab, read_to)
    try:
        yield made
    finally:
        made.stop_pings()
        capture.stop()
        made.clean()
    assert made.count_clear() == 0, "packets in clear on the provider network"
    refused = [line for line in read_logs(lab, read_to) if REFUSED in line]
    assert {line.partition(":")[0] for line in refused} == made.refused, refused


@pytest.fixture
def by_tcp(operator: Operator) -> Iterator[Operator]:
    """An operator of the lab while its chassis reach the southbound without TLS."""
    transport.switch(operator.lab, transport.TCP)
    operator.wait_whole()
    yield operator
    operator.wait_whole()
    transport.switch(operator.lab, transport.TLS)


@pytest.fixture
def scene(operator: Operator) -> Scene:
    """Two VPNs and what is watched of them, for a test in which something fails."""
    return Scene(operator)
