"""svc-ctl starts real databases and daemons: it waits until they work, and keeps what they were."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ..lib import schema
from .ovsdb import OVN_NORTHBOUND_SCHEMA
from .rig import VSWITCH_SCHEMA

UTILITIES = Path(__file__).parent.parent / "utilities"
# 'ctl' prints the exit status of svc-ctl behind what it says, and so does all that is run by it.
_PRELUDE = """
ctl () { "$UTILITIES/svc-ctl" "$@" 2>&1 && echo "= 0" || echo "= $?"; }
serve () {  # NAME SCHEMA
    test -e "$1.db" || ovsdb-tool create "$1.db" "$2"
    ovsdb-server --detach --no-chdir -vconsole:off -vsyslog:off --pidfile="$PWD/$1.pid" \\
        --unixctl="$PWD/$1.ctl" --remote="punix:$PWD/$1.sock" "$1.db"
}
transact () { ovsdb-client transact "unix:$PWD/$1" "$2" > /dev/null; }
ip link set lo up
"""
_SECURE = "svc-sbctl set-connection role=svc-controller pssl:6652"
# A chassis whose one container is of a type that nobody has, so that nothing is made on the host.
_CONTROLLER = """
serve ovs "$VSWITCH_SCHEMA"
serve sb "$SB_SCHEMA"
transact ovs.sock '["Open_vSwitch",
    {"op": "insert", "table": "Bridge", "uuid-name": "b", "row": {"name": "br-int"}},
    {"op": "insert", "table": "Open_vSwitch", "row": {"bridges": ["named-uuid", "b"],
     "external_ids": ["map", [["system-id", "hv1"]]]}}]'
transact sb.sock '["SVC_Southbound", {"op": "insert", "table": "SB_Global", "row":
     {"options": ["map", [["heartbeat-interval", "1000"]]]}},
    {"op": "insert", "table": "Container_Binding", "row":
     {"container": "c1", "chassis": "hv1", "service_type": "nosuch", "role": "active",
      "generation": 1}}]'
set -- --db-sock="$PWD/ovs.sock"
ctl --start-timeout=1 "$@" start_controller
ctl status_controller | sed -n '/Registered/p; /Problem/p'
ovs-vsctl --db="unix:$PWD/ovs.sock" --no-wait \\
    set Open_vSwitch . external_ids:svc-remote="unix:$PWD/sb.sock"
ctl "$@" start_controller
until "$UTILITIES/svc-appctl" -t svc-controller status | grep -q '^Problem: c1'; do
    sleep .05
done
ctl status_controller | sed '1d; /^  Problem: ipsec/d'
ctl "$@" restart_controller
ctl stop_controller
ctl stop_controller
"$UTILITIES/svc-ctl" "$@" run_controller &
until test "$("$UTILITIES/svc-appctl" -t svc-controller is-ready 2> /dev/null)" = true; do
    sleep .05
done
test "$(cat run/svc-controller.pid)" = $! && echo it is the daemon itself
ctl "$@" run_controller
"""


def play(directory: Path, script: str) -> list[str]:
    """Returns what a shell script prints, which nothing that it starts outlives."""
    done = subprocess.run(
        [
            *("setpriv", "--pdeathsig", "KILL", "--", "unshare", "--net", "--mount", "--pid"),
            *("--fork", "--kill-child", "--mount-proc", "sh", "-uc", _PRELUDE + script),
        ],
        cwd=directory,
        env={
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "UTILITIES": str(UTILITIES),
            "SVC_RUNDIR": f"{directory}/run",
            "SVC_LOGDIR": f"{directory}/log",
            "SVC_DBDIR": f"{directory}/db",
            "SVC_SYSCONFDIR": f"{directory}/etc",
            "SVC_DEFAULTS": f"{directory}/default",
            "OVN_NB_DB": f"unix:{directory}/ovn.sock",
            "OVN_NB_SCHEMA": OVN_NORTHBOUND_SCHEMA,
            "VSWITCH_SCHEMA": VSWITCH_SCHEMA,
            "NB_SCHEMA": str(schema.find_path(schema.NORTHBOUND)),
            "SB_SCHEMA": str(schema.find_path(schema.SOUTHBOUND)),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return [
        line.replace(f"{directory}/", "").removeprefix(f"{UTILITIES}/")
        for line in done.stdout.splitlines()
        if not line.startswith(("Starting ovsdb", "Exiting ", "Creating "))
    ]


@pytest.fixture
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("d")


def test_start_northd_waits_until_it_works_or_says_why_not(directory: Path) -> None:
    assert play(
        directory,
        """
        ctl --start-timeout=1 start_northd
        serve ovn "$OVN_NB_SCHEMA"
        transact ovn.sock '["OVN_Northbound", {"op": "insert", "table": "NB_Global", "row": {}}]'
        ctl start_northd
        "$UTILITIES/svc-appctl" -t svc-northd status | head -n 1
        ctl restart_northd
        "$UTILITIES/svc-appctl" -t svc-northd is-ready
        "$UTILITIES/svc-appctl" -t svc-northd is-paused
        ctl stop_northd
        """,
    ) == [
        "Starting svc-northd ... not yet",
        "svc-ctl: svc-northd does not work yet: OVN_Northbound cannot be read: unix:ovn.sock: "
        "No such file or directory",
        "= 1",
        *("ovsdb-nb is already running.", "ovsdb-sb is already running."),
        *("svc-northd is already running.", "= 0"),
        "Status: active",
        *("Starting svc-northd ... done.", "= 0"),
        *("true", "false"),
        "= 0",
    ]


def test_what_it_starts_leaves_no_core_file(directory: Path) -> None:
    """A core file of the northbound's server would hold pre-shared keys."""
    assert play(
        directory,
        """
        ulimit -c unlimited
        ctl start_nb_ovsdb
        grep -o 'Max core file size *[^ ]* *[^ ]*' /proc/$(cat run/svcnb_db.pid)/limits |
            tr -s ' '
        ctl stop_nb_ovsdb
        """,
    ) == ["= 0", "Max core file size 0 0", "= 0"]


def test_options_last_and_a_restart_cuts_nobody_off(directory: Path) -> None:
    remote = "ptcp:7652:127.0.0.1"
    hint = f"'{_SECURE}' (with svc-pki's keys) does so for good"
    assert play(
        directory,
        """
        where='--db-sb-addr=127.0.0.1 --db-sb-port=7652'
        ctl --db-sb-create-insecure-remote=yes $where start_sb_ovsdb
        ctl restart_sb_ovsdb
        ctl status_sb_ovsdb | sed 's/pid .*/pid N/'
        transact run/svcsb_db.sock '["SVC_Southbound", {"op": "insert", "table": "Chassis",
            "row": {"name": "hv1", "hostname": "elsewhere"}}]'
        ctl stop_sb_ovsdb
        ctl start_sb_ovsdb
        log='--svc-sb-log=\\"-vconsole:off -vfile:dbg\\"'
        echo "SVC_CTL_OPTS=\\"--db-sb-create-insecure-remote=yes $where $log\\"" > default
        ctl restart_sb_ovsdb
        ctl status_sb_ovsdb | sed 1d
        grep -c '|DBG|' log/ovsdb-server-sb.log | sed 's/[1-9].*/debugged/'
        ctl --db-sb-create-insecure-remote=no restart_sb_ovsdb
        transact run/svcsb_db.sock '["SVC_Southbound",
            {"op": "insert", "table": "Connection", "uuid-name": "c",
             "row": {"target": "ptcp:7653:127.0.0.1"}},
            {"op": "update", "table": "SB_Global", "where": [],
             "row": {"connections": ["named-uuid", "c"]}}]'
        ctl --db-sb-create-insecure-remote=no restart_sb_ovsdb
        ctl status_sb_ovsdb | sed 1d
        ctl stop_sb_ovsdb
        """,
    ) == [
        "= 0",
        f"ovsdb-sb goes on listening on {remote}, which no option of this start says: {hint}.",
        "= 0",
        *("SVC_Southbound is running with pid N", f"  listens on {remote} ", "= 0"),
        "= 0",
        "svc-ctl: warning: SVC_Southbound listens on no port, so that chassis on other hosts (1) "
        f"do not reach it: {hint}",
        "= 0",
        "= 0",
        *(f"  listens on {remote} ", "= 0"),
        "debugged",
        "svc-ctl: warning: SVC_Southbound listens on no port, so that chassis on other hosts (1) "
        f"do not reach it: {hint}",
        "= 0",
        "= 0",
        *("  listens on ptcp:7653:127.0.0.1 ", "= 0"),
        "= 0",
    ]


def test_start_controller_waits_until_it_is_registered(directory: Path) -> None:
    unset = "external_ids:svc-remote of the local Open_vSwitch is not set"
    assert play(directory, _CONTROLLER) == [
        "Starting svc-controller ... not yet",
        f"svc-ctl: svc-controller does not work yet: {unset}",
        "= 1",
        *("  Registered: no", f"  Problem: {unset}"),
        "svc-controller is already running; options that have changed take effect with "
        "restart_controller.",
        "= 0",
        *("  Chassis: hv1", "  Registered: yes", "  Southbound: unix:sb.sock, connected"),
        *("  Containers: 1 (1 error)", "  Dead after: 4 s without a heartbeat"),
        "  Problem: c1: container c1 has no port on this chassis",
        "= 0",
        *("Starting svc-controller ... done.", "= 0"),
        "What runs here goes on (containers: 1); after 4 s without svc-controller "
        "(chassis-dead-after) this chassis counts as dead, and they are placed on other chassis "
        "that can have them. To move them first, stop with --cleanup (svc-appctl -t svc-controller "
        "exit --cleanup).",
        "= 0",
        *("svc-controller is not running.", "= 0"),
        "it is the daemon itself",
        *("svc-ctl: svc-controller is already running", "= 1"),
    ]
