"""What README.rst tells to type for TLS, typed in a lab: central, a chassis, a user."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from ...utilities.lab import cloud, process
from ...utilities.lab.central import get_address
from ...utilities.lab.host import CHECKOUT, Host
from ...utilities.lab.state import Lab
from .test_lab import DIRECTORY

README = (CHECKOUT / "README.rst").read_text(encoding="utf-8")
PKI = "var/lib/ovnsvc/pki"


def read_lines(begin: str, end: str = "") -> str:
    """Returns the lines of a block of commands, from one that begins so to one that begins so."""
    lines = README[README.index(f"\n    {begin}") :].split("\n\n")[0].strip("\n").splitlines()
    if end:
        last = next(number for number, line in enumerate(lines) if line.strip().startswith(end))
        lines = lines[: last + 1]
    return textwrap.dedent("\n".join(lines))


def type_in(host: Host, lines: str, **words: str) -> str:
    """Types the lines on a host, after that of PATH; 'words' stand for the README's."""
    script = f"{read_lines('PATH=')}\n{lines}".replace("/opt/ovnsvc", str(CHECKOUT))
    for word, meaning in words.items():
        script = script.replace(word, meaning)
    return host.run("sh", "-euc", script)


@pytest.fixture
def bare_lab() -> Iterator[Lab]:
    """Central and a chassis, without keys and without a port of the southbound."""
    lab = Lab(Path(DIRECTORY))
    cloud.up(lab, cloud.Plan(1, by="tcp"), print)
    central = lab.get_host("central")
    cloud.kill_process(central, "svcsb_db")
    central.run(str(CHECKOUT / "utilities" / "svc-ctl"), "--no-monitor", "start_sb_ovsdb")
    yield lab
    cloud.down(lab, print)


def copy(lab: Lab, kind: str, name: str, place: str) -> None:
    """As scp would do it, from central to the chassis."""
    source = lab.get_host("central").directory / PKI / kind / name
    shutil.copytree(source, lab.get_host("hv1").directory / place, dirs_exist_ok=True)


def test_the_lines_of_the_readme_make_tls(bare_lab: Lab) -> None:
    central, chassis = (bare_lab.get_host(name) for name in ("central", "hv1"))
    known = {"CENTRAL": get_address(central), "CHASSIS": "hv1"}
    told = type_in(central, read_lines("svc-pki init"), **known)
    assert f"listens on pssl:6652:{known['CENTRAL']}" in told
    type_in(central, read_lines("svc-pki chassis CHASSIS", "svc-pki"), **known)
    copy(bare_lab, "chassis", "hv1", "etc/ovnsvc/pki")
    type_in(chassis, read_lines("cd /etc/ovnsvc/pki", "ovs-vsctl set Open"), **known)

    def tell() -> str:
        return type_in(chassis, "svc-ctl status_controller")

    wanted = f"Southbound: ssl:{known['CENTRAL']}:6652, connected"
    process.wait_until(lambda: wanted in tell() and "Registered: yes" in tell(), "the chassis", 30)

    def tell_all() -> str:
        # svc-northd judges a chassis that has just come in its next pass.
        return type_in(central, "svcctl --wait=hv sync; svcctl status || true")

    process.wait_until(lambda: tell_all().startswith("well\n"), "all to be well", 30)
    assert "TLS" not in tell_all()
    # A user elsewhere has a key that opens the northbound; that of a chassis does not.
    type_in(central, read_lines("svc-pki client alice"), **known)
    copy(bare_lab, "client", "alice", "etc/ovnsvc/alice")
    use = read_lines("export SVC_NB_DB=")
    type_in(chassis, f"cd /etc/ovnsvc/alice\n{use}", **known)
    refused = type_in(chassis, f"cd /etc/ovnsvc/pki\n{use} 2>&1 || echo refused", **known)
    assert refused.endswith("refused\n")
    shown = type_in(central, "svc-pki show")
    assert [line.split()[:2] for line in shown.splitlines()[3:]] == [
        *(["server", "central"], ["chassis", "hv1"], ["client", "alice"]),
    ]
