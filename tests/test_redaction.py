"""No secret in a log: at any level, of any module, by any way."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import ovs.db.error
import ovs.json
import ovs.jsonrpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..lib import redaction
from .ovsdb import Databases, wait_until

ROOT = Path(__file__).resolve().parents[1]
MARK = "marker-of-a-secret"

_WORDS = st.sampled_from(["name", "row", "psk", "secrets", "where", "map", "=="])


def _nest(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3)


# A secret in a row, in a condition and in a mutation, somewhere in something else.
_SECRETS = st.sampled_from(
    [
        {column: value}
        for column in sorted(redaction.SECRET_COLUMNS)
        for value in (MARK, ["map", [["key", MARK]]], {"nested": [MARK]})
    ]
    + [["psk", "==", MARK], ["secrets", "insert", ["map", [["key", MARK]]]]]
)
_JSON = st.recursive(_SECRETS | _WORDS | st.integers() | st.none(), _nest, max_leaves=20)


@given(_JSON)
def test_no_secret_is_left_however_deep_it_stands(json: Any) -> None:
    assert MARK not in str(redaction.redact(json))


def _nest_plain(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner) | st.dictionaries(st.text("abc"), inner)


@given(st.recursive(st.integers() | st.text("abc"), _nest_plain))
def test_what_is_no_secret_stays(json: Any) -> None:
    assert redaction.redact(json) == json


def test_a_message_is_shown_as_before_but_for_secrets() -> None:
    redaction.install()
    row = {"name": "to-venus", "psk": MARK}
    request = ovs.jsonrpc.Message.create_request("transact", ["SVC_Northbound", {"row": row}])
    shown = str(request)
    assert shown.startswith('request, method="transact", params=["SVC_Northbound",{"row":{')
    assert '"name":"to-venus"' in shown
    assert f'"psk":"{redaction.HIDDEN}"' in shown
    assert MARK not in shown


def test_what_cannot_be_shown_is_dropped() -> None:
    redaction.install()
    deep: Any = MARK
    for _ in range(100_000):
        deep = [deep]
    for json in (deep, {"psk": MARK, "other": object()}):
        message = ovs.jsonrpc.Message.create_notify("update", [json])
        assert str(message) == f'notification, method="update", params={redaction.HIDDEN}'
    while isinstance(deep, list):
        deep = deep.pop()


def test_an_error_of_the_database_library_quotes_nothing() -> None:
    redaction.install()
    error = ovs.db.error.Error("expected a string", [MARK])
    assert str(error) == "syntax error: expected a string"
    assert MARK not in repr(error)


# -- the whole way -------------------------------------------------------------

# What the daemons do: a session that reads and writes a secret, with everything logged.
_SESSION = f"""
import argparse, sys
import ovs.db.idl, ovs.poller, ovs.jsonrpc
from {ROOT.name}.lib import loop, nb, schema
from {ROOT.name}.lib.delta import Update
from {ROOT.name}.lib.idl import Session

mark, remote = sys.argv[1:3]
loop.parse_options(argparse.ArgumentParser(), sys.argv[3:])
session = Session(
    remote, schema.NORTHBOUND, [nb.SVCGlobal, nb.ServiceContainer],
    schema=schema.load(schema.NORTHBOUND),
)

def run_until(condition):
    while not condition():
        poller = ovs.poller.Poller()
        session.run()
        session.wait(poller)
        poller.timer_wait(100)
        poller.block()

run_until(lambda: session.synced)
[root] = session.rows(nb.SVCGlobal).values()
assert root.seal_seed == mark
[container] = session.rows(nb.ServiceContainer).values()
assert container.secret == {{"key": mark}}
session.commit([Update("SVC_Global", root.uuid, {{"seal_seed": mark + "2"}})], "a test")
run_until(lambda: not session.committing)
# What the library says of a value that does not fit, and of a stream that is broken.
helper = ovs.db.idl.SchemaHelper(schema_json=schema.load(schema.NORTHBOUND))
helper.register_columns("Service_Container", ["secret"])
idl = ovs.db.idl.Idl(remote, helper)
run_until(lambda: idl.run() and idl.has_ever_connected())
row = idl.tables["Service_Container"].rows[container.uuid]
transaction = ovs.db.idl.Transaction(idl)
row.secret = {{mark: 5}}
transaction.abort()
loop.vlog.err(str(ovs.db.error.Error("bad value", [mark])))
ovs.jsonrpc.vlog.warn("x: error parsing stream: line 0: invalid keyword '" + mark + "'")
try:
    raise ovs.db.error.Error("bad", {{"psk": mark}})
except ovs.db.error.Error:
    loop.vlog.exception("failed")
"""


@pytest.mark.parametrize("option", ["--log-file", "--log-file=FILE"])
def test_nothing_that_is_logged_holds_a_secret(
    databases: Databases, tmp_path: Path, option: str
) -> None:
    databases.nb.insert("SVC_Global", seal_seed=MARK)
    databases.nb.insert("Service_Container", name="c", secret=["map", [["key", MARK]]])
    file = tmp_path / ("own.log" if "FILE" in option else "logs/-c.log")
    if "FILE" in option:
        file.write_text("")
        file.chmod(0o644)
    command = [
        *(sys.executable, "-c", _SESSION, MARK, databases.nb.remote),
        *("-vconsole:dbg", "-vfile:dbg", "-vsyslog:off", option.replace("FILE", str(file))),
    ]
    environment = {
        **os.environ,
        "SVC_RUNDIR": str(tmp_path),
        "SVC_LOGDIR": str(tmp_path / "logs"),
    }
    done = subprocess.run(
        command,
        cwd=ROOT.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    logged = file.read_text()
    for text in (logged, done.stderr):
        assert text.count(redaction.HIDDEN) > 2, "rows are logged"
        assert "transact" in text
        assert MARK not in text
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    if "FILE" not in option:
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o750
    assert databases.nb.rows("SVC_Global")[0]["seal_seed"] == f"{MARK}2"


def test_svc_northd_logs_no_secret_while_it_works(databases: Databases, tmp_path: Path) -> None:
    databases.ovn_nb.insert("NB_Global")
    databases.nb.insert("SVC_Global")
    connection = {
        "op": "insert",
        "table": "IPsec_Connection",
        "uuid-name": "connection",
        "row": {"name": "to-venus", "peer_address": "1.0.0.3", "psk": MARK},
    }
    service = {"name": "mercury", "router": "r", "connections": ["named-uuid", "connection"]}
    databases.nb.transact(connection, {"op": "insert", "table": "VPN_Service", "row": service})
    log = tmp_path / "northd.log"
    remotes = {
        "svcnb-db": databases.nb.remote,
        "svcsb-db": databases.sb.remote,
        "ovnnb-db": databases.ovn_nb.remote,
        "ovnsb-db": f"unix:{tmp_path}/none",
    }
    process = subprocess.Popen(
        [
            *("setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-m", "ovnsvc.northd.main"),
            *("-vconsole:off", "-vsyslog:off", "-vfile:dbg", f"--log-file={log}"),
            *(f"--{option}={remote}" for option, remote in remotes.items()),
        ],
        env={**os.environ, "SVC_RUNDIR": str(tmp_path), "SVC_LOGDIR": str(tmp_path)},
    )
    try:
        wait_until(lambda: _find_seal_seed(databases), "its seed", 30)
        wait_until(lambda: databases.sb.rows("Northd")[0]["worked_at"], "a whole pass", 30)
    finally:
        process.terminate()
        assert process.wait(timeout=20) == 0
    logged = log.read_text()
    assert f'"psk":"{redaction.HIDDEN}"' in logged
    assert f'"seal_seed":"{redaction.HIDDEN}"' in logged
    assert MARK not in logged
    assert _find_seal_seed(databases) not in logged


def _find_seal_seed(databases: Databases) -> str:
    seed = databases.nb.rows("SVC_Global")[0]["seal_seed"]
    return seed if isinstance(seed, str) else ""
