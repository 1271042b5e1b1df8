"""svc-sbctl: as ovn-sbctl on OVN's southbound."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys

import pytest

from ..ctl.southbound import main
from ..lib import schema
from ..lib.version import VERSION
from .ovsdb import Databases
from .svcctl import Result, add_container

SECURE = ("set-connection", "role=svc-controller", "pssl:6652")


class SvcSbctl:
    """svc-sbctl on the southbound of a test."""

    def __init__(self, databases: Databases) -> None:
        self.databases = databases

    def __call__(self, *words: str) -> Result:
        """Runs it in this process."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main([f"--db={self.databases.sb.remote}", "--no-syslog", *words])
        return Result(out.getvalue(), err.getvalue(), status)

    def good(self, *words: str) -> str:
        """Returns the output of a run that must succeed."""
        done = self(*words)
        assert (done.status, done.stderr) == (0, ""), f"{words}: {done}"
        return done.stdout


@pytest.fixture
def svc_sbctl(databases: Databases) -> SvcSbctl:
    add_container(databases)
    return SvcSbctl(databases)


def test_what_is_there(svc_sbctl: SvcSbctl) -> None:
    assert svc_sbctl.good("show", "hv1").splitlines() == [
        "Chassis hv1",
        "    hostname: hv1.cloud",
        "    types: ipsec",
        "    Container vpn-1 (active): running",
    ]
    assert svc_sbctl.good("show").count("Chassis ") == 3
    assert svc_sbctl("show", "hv9").stderr == "svc-sbctl: hv9: chassis not found\n"
    listed = svc_sbctl.good("--bare", "--columns=name", "list", "Chassis")
    assert sorted(listed.split()) == ["hv1", "hv2", "hv3"]
    assert svc_sbctl.good("get", "Chassis", "hv2", "hostname") == "hv2.cloud\n"
    assert svc_sbctl.good("get", "Container_Binding", "vpn-1", "chassis") == "hv1\n"
    found = svc_sbctl.good("--bare", "--columns=chassis", "find", "Chassis_Weight", "alive=true")
    assert sorted(found.split()) == ["hv1", "hv2", "hv3"]


def test_where_it_listens(svc_sbctl: SvcSbctl) -> None:
    told = svc_sbctl(*SECURE, "role=", "ptcp:6653:127.0.0.1", "read-only", "pssl:6654").stderr
    assert "pssl:6654: who may only read SVC_Southbound there can convert it" in told
    assert svc_sbctl.good("get-connection").splitlines() == [
        'read-only role="" pssl:6654',
        'read-write role="" ptcp:6653:127.0.0.1',
        'read-write role="svc-controller" pssl:6652',
    ]
    rows = svc_sbctl.databases.sb.rows("SB_Global")
    assert len(rows[0]["connections"][1]) == 3, "the root row was made, and refers to them"
    svc_sbctl.good("--inactivity-probe=5000", *SECURE)
    assert svc_sbctl.good("get", "Connection", "pssl:6652", "inactivity_probe") == "5000\n"
    svc_sbctl.good("set-ssl", "/k", "/c", "/ca")
    assert "Private key: /k" in svc_sbctl.good("get-ssl")
    svc_sbctl.good("del-ssl", "--", "del-connection")
    assert svc_sbctl.good("get-connection") == ""
    for words in (("ptcp:x",), ("pssl:6652", "role=x"), ("read-only",)):
        assert svc_sbctl("set-connection", *words).status == 1
    assert svc_sbctl.good("get-connection") == ""


def test_who_opens_it_to_others_is_warned(svc_sbctl: SvcSbctl) -> None:
    for target, sentence in (
        ("ptcp:6652", "SVC_Southbound is open without TLS on ptcp:6652: whoever reaches it can "),
        ("pssl:6652", "SVC_Southbound listens on pssl:6652 without a role: each chassis can "),
    ):
        done = svc_sbctl("set-connection", target)
        assert (done.status, done.stdout) == (0, "")
        assert done.stderr.startswith(f"svc-sbctl: warning: {sentence}")
        assert done.stderr.count("\n") == 1
        assert target in svc_sbctl.good("get-connection")


def test_generic_commands_write_as_those_of_ovn_sbctl(svc_sbctl: SvcSbctl) -> None:
    svc_sbctl.good("set", "Chassis", "hv1", "external_ids:rack=r1")
    assert svc_sbctl.good("get", "Chassis", "hv1", "external_ids:rack") == "r1\n"
    svc_sbctl.good("destroy", "Chassis", "hv3")
    svc_sbctl.good("init")
    svc_sbctl.good("set", "SB_Global", ".", "options:x=y")
    assert "hv3" not in svc_sbctl.good("list", "Chassis")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("vpn-list",), "unknown command 'vpn-list'"),
        (("--wait=hv", "list", "Chassis"), "unrecognized option '--wait'"),
        (("--sb-db=unix:x", "show"), "unrecognized option '--sb-db'"),
        (("list", "VPN_Service"), "VPN_Service"),
    ],
)
def test_what_is_svcctl_s_is_refused(
    svc_sbctl: SvcSbctl, words: tuple[str, ...], sentence: str
) -> None:
    done = svc_sbctl(*words)
    assert done.status == 1
    assert done.stderr.startswith("svc-sbctl: ")
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_texts(svc_sbctl: SvcSbctl) -> None:
    text = svc_sbctl.good("--help")
    assert text.startswith("svc-sbctl: looks at the southbound")
    assert "--wait" not in text
    assert "vpn-add" not in text
    for word in ("northbound", "SVC_NB", "svcctl"):
        assert word not in text
    assert "--db=DATABASE\n      connect to DATABASE (default: $SVC_SB_DB, or" in text
    version = schema.load(schema.SOUTHBOUND)["version"]
    assert svc_sbctl.good("--version") == f"svc-sbctl (ovnsvc) {VERSION}\nDB Schema {version}\n"
    commands = svc_sbctl.good("--commands")
    assert ",set-connection,+TARGET" in commands
    assert "container-list" not in commands


def test_as_a_program_it_finds_the_southbound(svc_sbctl: SvcSbctl) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ovnsvc.ctl.southbound", "show", "hv2"],
        env=svc_sbctl.databases.environment(),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Chassis hv2\n")
