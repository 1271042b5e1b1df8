"""svc-ctl: where the databases listen, with what keys, and who may read their files."""

from __future__ import annotations

from pathlib import Path

import pytest

from .test_svc_ctl_start import play

_TLS = """
pki=$PWD/db/pki
ctl () { "$UTILITIES/svc-ctl" "$@" 2>&1 || echo "= $?"; }
mkdir db
"$UTILITIES/svc-pki" init > /dev/null
for each in 'server central' 'chassis hv1' 'client ops'; do
    "$UTILITIES/svc-pki" $each > /dev/null
done
ask () { # KIND/NAME PORT DATABASE
    ovsdb-client -vconsole:off -t 3 -p "$pki/$1/privkey.pem" -c "$pki/$1/cert.pem" \\
        -C "$pki/client/ops/cacert.pem" list-dbs "ssl:127.0.0.1:$2" 2> /dev/null | grep -x "$3" ||
        echo "$1 is refused"
}
connect () { # DATABASE SOCKET ROOT COLUMNS
    transact "run/$2" '["'$1'", {"op": "insert", "table": "Connection", "uuid-name": "c",
        "row": '"$4"'}, {"op": "update", "table": "'$3'", "where": [],
        "row": {"connections": ["named-uuid", "c"]}}]'
}
set_keys () { # KEY CERTIFICATE CA-CERTIFICATE
    transact run/svcsb_db.sock '["SVC_Southbound",
        {"op": "delete", "table": "SSL", "where": []},
        {"op": "insert", "table": "SSL", "uuid-name": "s",
            "row": {"private_key": "'$1'", "certificate": "'$2'", "ca_cert": "'$3'"}},
        {"op": "update", "table": "SB_Global", "where": [],
            "row": {"ssl": ["named-uuid", "s"]}}]' > /dev/null
}
mine=$pki/server/central
"""


@pytest.fixture
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("d")


def test_keys_of_the_options_serve_remotes_of_tls(directory: Path) -> None:
    told = play(
        directory,
        _TLS
        + """
        keys () { echo "--svc-$1-db-ssl-key=$pki/server/central/privkey.pem
            --svc-$1-db-ssl-cert=$pki/server/central/cert.pem
            --svc-$1-db-ssl-ca-cert=$pki/server/central/$1-cacert.pem"; }
        ctl $(keys nb) start_nb_ovsdb
        ctl $(keys sb) start_sb_ovsdb
        connect SVC_Northbound svcnb_db.sock SVC_Global '{"target": "pssl:7651:127.0.0.1"}'
        connect SVC_Southbound svcsb_db.sock SB_Global \\
            '{"target": "pssl:7652:127.0.0.1", "role": "svc-controller"}'
        until ask client/ops 7651 SVC_Northbound | grep -q '^SVC'; do sleep .05; done
        until ask client/ops 7652 SVC_Southbound | grep -q '^SVC'; do sleep .05; done
        for each in client/ops chassis/hv1; do
            ask $each 7651 SVC_Northbound
            ask $each 7652 SVC_Southbound
        done
        ctl --svc-nb-db-ssl-key=/none start_nb_ovsdb
        ctl stop_ovsdb
        ctl --svc-nb-db-ssl-key=/none start_nb_ovsdb
        """,
    )
    assert told == [
        *("SVC_Northbound", "SVC_Southbound", "chassis/hv1 is refused", "SVC_Southbound"),
        "ovsdb-nb is already running; options that have changed take effect with restart_nb_ovsdb.",
        "svc-ctl: --svc-nb-db-ssl-key=/none: cannot be read",
        "= 1",
    ]


def test_svc_northd_elsewhere_works_by_tls(directory: Path) -> None:
    told = play(
        directory,
        _TLS
        + """
        serve ovn "$OVN_NB_SCHEMA"
        transact ovn.sock '["OVN_Northbound", {"op": "insert", "table": "NB_Global", "row": {}}]'
        keys () { echo "--svc-$1-ssl-key=$pki/$2/privkey.pem --svc-$1-ssl-cert=$pki/$2/cert.pem
            --svc-$1-ssl-ca-cert=$pki/$2/$3"; }
        ctl $(keys nb-db server/central nb-cacert.pem) start_nb_ovsdb
        ctl $(keys sb-db server/central sb-cacert.pem) start_sb_ovsdb
        connect SVC_Northbound svcnb_db.sock SVC_Global '{"target": "pssl:7651:127.0.0.1"}'
        connect SVC_Southbound svcsb_db.sock SB_Global '{"target": "pssl:7652:127.0.0.1"}'
        set -- --svc-manage-ovsdb=no --svcnb-db=ssl:127.0.0.1:7651 --svcsb-db=ssl:127.0.0.1:7652
        ctl "$@" --svc-northd-ssl-key=/none start_northd
        ctl "$@" $(keys northd client/ops cacert.pem) start_northd
        "$UTILITIES/svc-appctl" -t svc-northd status | head -n 1
        ctl stop_northd --svc-manage-ovsdb=no
        """,
    )
    assert [line for line in told if "one of them" not in line][-2:] == [
        "Starting svc-northd ... done.",
        "Status: active",
    ]


def test_a_remote_of_the_command_line_does_not_undo_a_role(directory: Path) -> None:
    undone = (
        "svc-ctl: warning: ovsdb-sb does not listen on ptcp:7652:0.0.0.0: table Connection has a "
        "remote with a role, which one without would undo (--db-sb-create-insecure-remote=no)"
    )
    exposed = (
        "svc-ctl: warning: SVC_Southbound is open without TLS on ptcp:7652:0.0.0.0: whoever "
        "reaches it can change everything; use pssl (svc-pki), or a firewall"
    )
    assert play(
        directory,
        _TLS
        + """
        open='--db-sb-create-insecure-remote=yes --db-sb-port=7652'
        ctl $open start_sb_ovsdb
        ctl status_sb_ovsdb | sed 1d
        set_keys $mine/privkey.pem $mine/cert.pem $mine/sb-cacert.pem
        connect SVC_Southbound svcsb_db.sock SB_Global \\
            '{"target": "pssl:7653:127.0.0.1", "role": "svc-controller"}'
        ctl restart_sb_ovsdb
        ctl $open restart_sb_ovsdb
        ctl status_sb_ovsdb | sed 1d
        ctl stop_sb_ovsdb
        ctl $open --db-sb-addr=127.0.0.1 start_sb_ovsdb
        ctl status_sb_ovsdb | sed '1d; s/ptcp:7652:127.0.0.1 //; s/pssl:[^ ]* //'
        ctl stop_sb_ovsdb
        """,
    ) == [
        *(exposed, "  listens on ptcp:7652:0.0.0.0 ", exposed),
        *(undone, undone),
        "  listens on pssl:7653:127.0.0.1 ",
        "  listens on ",
    ]


def test_the_northbound_listens_on_no_port_unless_told(directory: Path) -> None:
    told = play(
        directory,
        _TLS
        + """
        ctl start_nb_ovsdb
        ctl status_nb_ovsdb | sed 1d
        ctl stop_nb_ovsdb
        ctl --db-nb-create-insecure-remote=yes --db-nb-port=7651 start_nb_ovsdb
        """,
    )
    assert told == [
        "  listens on no port",
        "svc-ctl: warning: SVC_Northbound is open without TLS on ptcp:7651:0.0.0.0: whoever "
        "reaches it reads pre-shared keys and can change everything; use pssl (svc-pki), or a "
        "firewall",
    ]


@pytest.mark.parametrize("umask", ["0", "022"])
def test_only_owner_and_group_may_read_the_northbound(directory: Path, umask: str) -> None:
    """Made, compacted, converted, its log rotated, and files that were there with other rights."""
    told = play(
        directory,
        _TLS
        + f"""
        umask {umask}
        show () {{ stat -c '%n %a' db/svcnb_db.db* log/ovsdb-server-nb.log; }}
        ctl start_nb_ovsdb
        show
        ovs-appctl -t $PWD/run/svcnb_db.ctl ovsdb-server/compact
        mv log/ovsdb-server-nb.log log/old
        ovs-appctl -t $PWD/run/svcnb_db.ctl vlog/reopen
        show
        chmod 666 db/svcnb_db.db log/ovsdb-server-nb.log
        ctl start_nb_ovsdb
        show
        ctl stop_nb_ovsdb
        chmod 666 db/svcnb_db.db log/ovsdb-server-nb.log
        sed 's/"version": "[0-9.]*"/"version": "99.0.0"/' "$NB_SCHEMA" > newer
        ctl --db-nb-schema=$PWD/newer start_nb_ovsdb
        show
        sed 's/"version": "[0-9.]*"/"version": "99.1.0"/' "$NB_SCHEMA" > newer
        ctl --db-nb-schema=$PWD/newer start_nb_ovsdb
        show
        """,
    )
    shown = [line for line in told if line.startswith(("db/", "log/"))]
    assert len(shown) == 2 * 3 + 3 * 2
    assert {line.split()[1] for line in shown} == {"640"}
    assert len([line for line in shown if "backup" in line]) == 2


def test_a_server_of_tls_that_cannot_read_its_keys_is_told(directory: Path) -> None:
    told = play(
        directory,
        _TLS
        + """
        ctl start_sb_ovsdb > /dev/null
        ctl status_sb_ovsdb | grep -c warning
        connect SVC_Southbound svcsb_db.sock SB_Global \\
            '{"target": "pssl:7653:127.0.0.1", "role": "svc-controller"}' > /dev/null
        until ctl status_sb_ovsdb | grep -q pssl:7653; do sleep .05; done
        ctl status_sb_ovsdb | grep -o 'TLS: its [^;]*'
        set_keys key.pem $mine/cert.pem /none/ca.pem
        ctl status_sb_ovsdb | grep -o 'TLS: its [^;]*'
        set_keys $mine/privkey.pem $mine/cert.pem $mine/sb-cacert.pem
        ctl status_sb_ovsdb | grep -c warning
        "$UTILITIES/svc-pki" --days=3 --renew server central > /dev/null
        ctl status_sb_ovsdb | grep -o 'central/cert.pem ends .*: from' | tr 0-9 x
        "$UTILITIES/svc-pki" --renew server central > /dev/null
        ctl stop_sb_ovsdb > /dev/null
        ctl --svc-sb-db-ssl-key=$mine/privkey.pem --svc-sb-db-ssl-cert=$mine/cert.pem \\
            --svc-sb-db-ssl-ca-cert=$mine/sb-cacert.pem start_sb_ovsdb > /dev/null
        set_keys /none /none /none
        ctl status_sb_ovsdb | grep -c warning
        ctl stop_sb_ovsdb > /dev/null
        """,
    )
    assert told == [
        "0",
        *(f"TLS: its {column} is not set" for column in ("private_key", "certificate", "ca_cert")),
        "TLS: its private_key key.pem is no absolute path",
        "TLS: its ca_cert /none/ca.pem cannot be read",
        *("0", "central/cert.pem ends xxxx-xx-xx: from", "0"),
    ]
