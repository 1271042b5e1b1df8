"""Servers that do not answer, several servers, a cluster, TLS."""

from __future__ import annotations

import itertools
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..ctl.db.framing import Framing
from ..ctl.db.rpc import Client
from ..ctl.db.tls import Tls as Files
from .cluster import start_cluster
from .ovsdb import Databases, wait_until
from .pki import Authority, Server, replace
from .svcctl import Svcctl
from .tls import Tls


def test_no_database(svcctl: Svcctl, databases: Databases, tmp_path: Path) -> None:
    databases.nb.stop()
    result = svcctl("show")
    assert result.status == 1
    reason = "database connection failed (No such file or directory)"
    assert result.stderr == f"svcctl: {databases.nb.remote}: {reason}\n"
    for db, reason in (
        ("nonsense", "nonsense: a database is unix:FILE, tcp:IP:PORT or ssl:IP:PORT"),
        ("tcp:127.0.0.1:1", "tcp:127.0.0.1:1: database connection failed (Connection refused)"),
        ("tcp:127.0.0.1:²", "tcp:127.0.0.1:²: a database is unix:FILE, tcp:IP:PORT or"),
        ("tcp:127.0.0.1:99999", "tcp:127.0.0.1:99999: "),
        ("", "no database is given"),
        ("unix:" + "x" * 200, "AF_UNIX path too long"),
        (databases.sb.remote, "the server has no database SVC_Northbound"),
    ):
        result = svcctl(f"--db={db}", "show")
        assert result.status == 1
        assert result.stderr.count("\n") == 1
        assert reason in result.stderr


def test_the_second_server_is_tried(svcctl: Svcctl, databases: Databases) -> None:
    db = f"--db=tcp:127.0.0.1:1,unix:/nono,{databases.nb.remote}"
    svcctl.good(db, "group-add", "g")
    svcctl.good("--no-shuffle-remotes", db, "group-del", "g")


def test_a_cluster_is_reached_through_its_leader(databases: Databases, svcctl: Svcctl) -> None:
    servers = start_cluster(databases.directory, databases.nb.name)
    try:
        follower, leader = servers
        both = f"--db={follower.remote},{leader.remote}"
        svcctl.good("--no-shuffle-remotes", both, "group-add", "g")
        svcctl.good(both, "group-add", "h")
        svcctl.good("--no-leader-only", f"--db={follower.remote}", "group-add", "i")
        assert svcctl.good(both, "--bare", "group-list").split() == [
            *(word for name in "ghi" for word in (name, "least", "0", "0"))
        ]
        process = svcctl.start("--timeout=1", f"--db={follower.remote}", "group-list")
        assert (
            process.communicate()[1] == "svcctl: timed out after 1 s while reaching the database\n"
        )
    finally:
        for server in servers:
            server.stop()


def test_the_one_that_serves_the_database_is_taken(svcctl: Svcctl, databases: Databases) -> None:
    dead, other, good = "unix:/nono", databases.sb.remote, databases.nb.remote
    for order in itertools.permutations((dead, other, good)):
        svcctl.good("--no-shuffle-remotes", f"--db={','.join(order)}", "group-list")
    no_such = "database connection failed (No such file or directory)"
    said = svcctl.bad("--no-shuffle-remotes", f"--db={other},{dead}", "show")
    assert said == f"{other}: the server has no database SVC_Northbound; {dead}: {no_such}"
    said = svcctl.bad("--no-shuffle-remotes", f"--db={dead},{other}", "show")
    assert said == f"{dead}: {no_such}; {other}: the server has no database SVC_Northbound"


def test_who_is_no_ovsdb_server_is_told(svcctl: Svcctl, databases: Databases) -> None:
    for greeting in (b"SSH-2.0-OpenSSH\r\n", b"[1, 2]", b'{"id": 1, "result": "\xff"}'):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            stranger = f"tcp:127.0.0.1:{listener.getsockname()[1]}"
            process = svcctl.start("--no-shuffle-remotes", f"--db={stranger}", "show")
            peer, _ = listener.accept()
            with peer:
                peer.sendall(greeting)
                assert process.communicate()[1] == f"svcctl: {stranger}: not an OVSDB server\n"


@given(st.lists(st.dictionaries(st.text(), st.text() | st.lists(st.text()))), st.data())
def test_messages_are_found_whatever_pieces_they_come_in(messages: Any, data: Any) -> None:
    stream = b" ".join(json.dumps(each, ensure_ascii=False).encode() for each in messages)
    framing, found = Framing(), []
    while stream:
        length = data.draw(st.integers(1, len(stream)))
        found += framing.feed(stream[:length])
        stream = stream[length:]
    assert found == messages


@pytest.fixture
def tls(databases: Databases) -> Iterator[Tls]:
    made = Tls(databases)
    yield made
    made.stop()


def test_tls(tls: Tls, svcctl: Svcctl) -> None:
    connect = (f"--db={tls.remote}", *tls.own)
    svcctl.good(*connect, "-C", tls.ca, "group-add", "g")
    listed = svcctl.good(*connect, "-C", tls.ca, "--bare", "group-list")
    assert listed.split() == ["g", "least", "0", "0"]
    required = f"{tls.remote}: --private-key, --certificate and --ca-cert are required"
    assert svcctl.bad(f"--db={tls.remote}", "show") == required
    assert svcctl.bad(*connect, "show") == required
    assert "No such file" in svcctl.bad(*connect, "-C", "/nono", "show")
    reason = svcctl.bad(*connect, "-C", tls.own[3], "show")
    assert "the server's certificate (CN key, issued by CN ca) is not issued by the CA of" in reason
    assert svcctl.good(*connect, "-C", "none", "--bare", "group-list") == listed


def test_the_certificate_of_the_ca_is_taken_once(tls: Tls, svcctl: Svcctl) -> None:
    connect = (f"--db={tls.remote}", *tls.own, f"--bootstrap-ca-cert={tls.bootstrap}")
    for _ in range(2):
        svcctl.good(*connect, "group-list")
        assert Path(tls.bootstrap).read_text() == Path(tls.ca).read_text()
    Path(tls.bootstrap).write_text(Path(tls.own[3]).read_text())
    assert "is not issued by the CA of --bootstrap-ca-cert" in svcctl.bad(*connect, "group-list")
    nowhere = (f"--db={tls.remote}", *tls.own, "--bootstrap-ca-cert=/nono/ca")
    assert svcctl.bad(*nowhere, "show").endswith(
        "--bootstrap-ca-cert=/nono/ca: No such file or directory"
    )


def test_what_is_wrong_with_keys_is_a_sentence(
    tmp_path: Path, databases: Databases, svcctl: Svcctl
) -> None:
    database = databases.directory / "mistakes.db"
    database.write_bytes(databases.nb.make_empty_file())
    servers, clients = Authority(tmp_path, "controllers"), Authority(tmp_path, "clients")
    server = Server(database, servers.issue("central"), clients.path)
    own = clients.issue("me")
    ours = f"our certificate {own.certificate} (CN me, issued by CN clients), which"

    def ask() -> str:
        return svcctl.bad(f"--db={server.remote}", *own.options(servers.path), "group-list")

    try:
        clients.issue("me", begins=-9, days=2)
        assert ours in ask()
        clients.issue("me", begins=9)
        assert f"{ours} does not begin before" in ask()
        servers.issue("me", to="clients-me")
        assert f"our certificate {own.certificate} (CN me, issued by CN controllers)" in ask()
        replace({own.key: clients.issue("other").key.read_bytes()})
        assert f"--private-key {own.key} is not the key of --certificate {own.certificate}" in ask()
        os.unlink(own.certificate)
        assert f"--certificate {own.certificate} cannot be read: No such file" in ask()
        clients.issue("me")
        servers.issue("central", begins=-9, days=2)
        server.restart()
        assert "the server's certificate (CN central, issued by CN controllers) ended 20" in ask()
    finally:
        server.stop()


def test_versions_of_tls(tls: Tls, svcctl: Svcctl) -> None:
    connect = (f"--db={tls.remote}", *tls.own, "-C", tls.ca)
    for protocols in ("TLSv1.2", "TLSv1.2,TLSv1.3", "TLSv1.1 TLSv1.2"):
        svcctl.good(*connect, f"--ssl-protocols={protocols}", "group-list")
    svcctl.good(*connect, "--ssl-protocols=TLSv1.2", "--ssl-ciphers=HIGH", "group-list")
    for option, reason in (
        ("protocols=TLSv1.1", "database connection failed"),
        ("protocols=SSLv9", "SSLv9 is none of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3"),
        ("protocols=,", "no protocol is named"),
        ("ciphers=NONO", "No cipher can be selected"),
    ):
        assert reason in svcctl.bad(*connect, f"--ssl-{option}", "group-list"), option


class _Stopped(Exception):
    pass


def test_who_asks_for_a_lock_and_is_stopped_does_not_keep_it(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped, other = (
        Client([databases.sb.remote], databases.sb.name, Files()) for _ in ("stopped", "other")
    )

    def stop(_id: int) -> None:
        raise _Stopped

    monkeypatch.setattr(stopped, "_receive_result", stop)
    with pytest.raises(_Stopped):
        stopped.is_locked("a_lock")
    wait_until(lambda: not other.is_locked("a_lock"), "the lock")
    for client in (stopped, other):
        client.close()
