"""No secret of a command line is in a comment of the database, in its log, or in syslog."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .ovsdb import Databases
from .svcctl import ROOT, Svcctl, add_router
from .svcctl_daemon import Daemon

MARK = "correct-horse-battery"

# Each is followed by a command that changes something, so that all of it is told.
# The secret is never in the database, so that the server has no reason to log it.
ASKING = f"""
    find IPsec_Connection psk={MARK}
    find IPsec_Connection psk="{MARK}"
    find IPsec_Connection ps!={MARK}
    find ipsec-conn PSK={MARK}
    find IPsec_Connection psk{{in}}{MARK}
    find IPsec_Connection name=c psk={MARK}
    find SVC_Global seal_seed={MARK}
    find Service_Container secret:key={MARK}
    find Service_Container secret=key={MARK}
    find Service_Container secret={{key={MARK}}}
    find Service_Container secret:"{MARK}"=x
    find Service_Container configuration:password={MARK}
    find VPN_Service external_ids:api-token={MARK}
    find VPN_Service options={{psk={MARK}}}
    --if-exists get IPsec_Connection psk={MARK} name
    --if-exists list IPsec_Connection psk={MARK}
    --if-exists wait-until IPsec_Connection nono psk={MARK}
    --if-exists set IPsec_Connection nono psk={MARK}
    --if-exists set IPsec_Connection nono mtu=1400 psk="{MARK}"
    --if-exists set IPsec_Connection psk={MARK} mtu=1400
    --if-exists set Service_Container nono secret:key={MARK}
    --if-exists set Service_Container nono secret={{key={MARK}}}
    --if-exists add IPsec_Connection nono psk {MARK}
    --if-exists add Service_Container nono secret key={MARK}
    --if-exists remove IPsec_Connection nono ps {MARK}
    --if-exists remove Service_Container nono secret {MARK}
    --if-exists destroy IPsec_Connection psk={MARK}
"""

# What is written is in the database, but not in what is told about the change.
WRITING = f"""
    conn-set mercury c --psk={MARK}1
    --psk={MARK}2 conn-set mercury c
    --psk {MARK}3 conn-set mercury c
    conn-set mercury c --psk {MARK}4
    conn-add mercury d 1.0.0.9 10.9.0.0/24 --psk={MARK}5
    set IPsec_Connection c psk={MARK}6
    set IPsec_Connection c psk="{MARK}7,2"
    set SVC_Global . seal_seed={MARK}8
    set VPN_Service mercury options:password={MARK}9
    --no-check container-add e1 echo password={MARK}10
    --no-check container-set e1 api_token={MARK}11
    add Service_Container e1 secret key={MARK}12
    set Service_Container e1 secret:key={MARK}13
    remove Service_Container e1 secret key={MARK}13
    create Service_Container name=e2 service_type=echo secret:key={MARK}15
"""


def split(lines: str) -> list[list[str]]:
    return [line.split(" ") for line in map(str.strip, lines.splitlines()) if line]


@pytest.fixture
def vpn(databases: Databases, svcctl: Svcctl, tmp_path: Path) -> Svcctl:
    """A VPN service with a connection."""
    add_router(databases, "r")
    (tmp_path / "psk").write_text("other\n")
    svcctl.good("init", "--", "vpn-add", "mercury", "r", "1.0.0.100", "192.168.1.0/24")
    words = ("conn-add", "mercury", "c", "1.0.0.3", "192.168.2.0/24")
    svcctl.good(*words, f"--psk-file={tmp_path}/psk")
    return svcctl


def read_comments(databases: Databases) -> list[str]:
    command = ["ovsdb-tool", "-mm", "show-log", f"{databases.directory}/SVC_Northbound.db"]
    dump = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return re.findall(r'^record \d+: \S+ \S+ "(.*)"$', dump, re.MULTILINE)


def test_what_is_asked_is_not_told(vpn: Svcctl, databases: Databases) -> None:
    control = databases.directory / "SVC_Northbound.ctl"
    subprocess.run(["ovs-appctl", "-t", control, "vlog/set", "file:dbg"], check=True)
    for number, words in enumerate(split(ASKING)):
        result = vpn(*words, "--", "group-add", f"g{number}")
        assert result.status == 0, (words, result)
    assert len(databases.nb.rows("Container_Group")) == len(split(ASKING))
    comments = read_comments(databases)
    told = [comment for comment in comments if "group-add" in comment]
    assert len(told) == len(split(ASKING))
    assert all("<hidden>" in comment for comment in told), told
    assert "svcctl find IPsec_Connection name=c <hidden> -- group-add g5" in comments
    log = (databases.directory / "SVC_Northbound.log").read_text()
    assert '"op":"comment"' in log, "the log has what was asked"
    assert MARK not in log
    assert not [comment for comment in comments if MARK in comment]


def test_what_is_written_is_not_told(vpn: Svcctl, databases: Databases) -> None:
    before = len(read_comments(databases))
    for words in split(WRITING):
        result = vpn(*words)
        assert result.status == 0, (words, result)
    comments = read_comments(databases)
    assert len(comments) == before + len(split(WRITING))
    assert not [comment for comment in comments if MARK in comment]


def test_other_words_are_told(vpn: Svcctl, databases: Databases) -> None:
    vpn.good("set", "VPN_Service", "mercury", "options:colour=blue", "enabled=true")
    vpn.good("--may-exist", "ike-policy-add", "p", "pfs=group19")
    comments = read_comments(databases)
    assert "svcctl set VPN_Service mercury options:colour=blue enabled=true" in comments
    assert "svcctl --may-exist ike-policy-add p pfs=group19" in comments


def test_a_secret_map_is_shown_to_nobody_who_did_not_ask(
    svcctl: Svcctl, databases: Databases
) -> None:
    secret = ["map", [["key", MARK]]]
    databases.nb.insert("Service_Container", name="e1", service_type="echo", secret=secret)
    for words in (
        ["list", "Service_Container"],
        ["-f", "json", "list", "Service_Container"],
        ["-f", "csv", "--columns=secret", "find", "Service_Container"],
        ["-d", "json", "-f", "table", "list", "Service_Container", "e1"],
        ["get", "Service_Container", "e1", "secret"],
        ["get", "Service_Container", "e1", "secret:key"],
        ["container-show", "e1"],
        ["container-list"],
        ["show"],
    ):
        assert MARK not in svcctl.good(*words), words
    shown = svcctl.good("--show-secrets", "get", "Service_Container", "e1", "secret:key")
    assert shown == f"{MARK}\n"


def test_a_table_of_a_type_that_is_not_installed(databases: Databases, svcctl: Svcctl) -> None:
    """Nobody says which columns of it are secret, so none is shown or told."""
    databases.nb.insert("IPsec_Policy", name="p", lifetime=3600)
    code = (
        "import sys\n"
        f"from {ROOT.name}.services.api import service_type\n"
        "service_type.find_entry_points = lambda _group: []\n"
        f"from {ROOT.name}.ctl.main import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    for words, out in (
        (["--columns=name,lifetime", "list", "IPsec_Policy"], "name                : p\n"),
        (["set", "IPsec_Policy", "p", "lifetime=7200"], ""),
    ):
        process = subprocess.run(
            [sys.executable, "-c", code, *svcctl.remotes(), *words],
            cwd=ROOT.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == 0, process
        assert process.stdout.startswith(out)
        assert "3600" not in process.stdout
    assert "svcctl set IPsec_Policy p <hidden>" in read_comments(databases)


@pytest.fixture
def devices(tmp_path: Path) -> Iterator[tuple[Path, socket.socket]]:
    """A folder that can stand for /dev, with a /dev/log where the test listens."""
    folder = tmp_path / "dev"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(folder / "log"))
        log.settimeout(10)
        yield folder, log


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a mount namespace")
def test_what_syslog_hears(
    vpn: Svcctl, databases: Databases, devices: tuple[Path, socket.socket]
) -> None:
    folder, log = devices
    words = ["find", "IPsec_Connection", f"psk={MARK}", "--", "conn-set", "mercury", "c"]
    command = [sys.executable, "-m", f"{ROOT.name}.ctl.main", *words, f"--psk={MARK}"]
    script = f'mount --bind {folder} /dev && exec "$@"'
    process = subprocess.run(
        ["unshare", "--mount", "--propagation=private", "sh", "-c", script, "sh", *command],
        cwd=ROOT.parent,
        env=databases.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert MARK not in process.stdout + process.stderr
    heard = log.recv(65536).decode()
    told = "svcctl find IPsec_Connection <hidden> -- --psk=<hidden> conn-set mercury c"
    assert heard.endswith(f"Called as {told}"), json.dumps(heard)


def test_a_mark_of_the_encoding_is_no_part_of_a_secret(
    vpn: Svcctl, databases: Databases, tmp_path: Path
) -> None:
    """As editors of Windows write it, with their ends of lines."""
    (tmp_path / "marked").write_bytes(b"\xef\xbb\xbfanother\r\n")
    vpn.good("conn-set", "mercury", "c", f"--psk-file={tmp_path}/marked")
    assert [row["psk"] for row in databases.nb.rows("IPsec_Connection")] == ["another"]


def test_what_a_daemon_is_told_and_prints_is_in_no_log(
    vpn: Svcctl, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Neither an option with a key, nor what --show-secrets prints."""
    directory = tmp_path_factory.mktemp("d")
    log = directory / "svcctl.log"
    daemon = Daemon(databases, directory, f"--log-file={log}", "-vfile:dbg")
    try:
        assert daemon.run("conn-set", "mercury", "c", f"--psk={MARK}").status == 0
        for line in ("get IPsec_Connection c psk", "conn-export c", "-f json conn-export c"):
            assert MARK in decode_keys(daemon.good("--show-secrets", *line.split()))
    finally:
        daemon.stop()
    told = log.read_text()
    assert 'received request, method="reply", params=***' in told
    assert "result=***" in told
    assert MARK not in decode_keys(told)


def decode_keys(text: str) -> str:
    """Returns a text with what it has in base64, as strongSwan takes it."""
    return re.sub("0s([A-Za-z0-9+/=]+)", lambda found: base64.b64decode(found[1]).decode(), text)
