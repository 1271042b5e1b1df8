"""One command line is one transaction; waiting; secrets; the program as it is started."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from ..ctl.command_table import CommandTable
from ..lib import schema
from ..lib.version import VERSION
from .ovsdb import Databases, wait_until
from .svcctl import ROOT, Result, Svcctl, add_router

SECRET = "correct-horse-battery"


@pytest.fixture
def vpn(databases: Databases, svcctl: Svcctl, tmp_path: Path) -> Svcctl:
    """A VPN service with a connection whose key is SECRET."""
    add_router(databases, "r")
    (tmp_path / "psk").write_text(SECRET + "\n")
    svcctl.good("vpn-add", "mercury", "r", "1.0.0.100", "192.168.1.0/24")
    words = ("conn-add", "mercury", "c", "1.0.0.3", "192.168.2.0/24")
    svcctl.good(*words, f"--psk-file={tmp_path}/psk")
    return svcctl


def answer(databases: Databases, *columns: str) -> threading.Thread:
    """Does what svc-northd does with nb_cfg, once, for 'columns'."""

    def run() -> None:
        def find() -> int:
            rows = databases.nb.rows("SVC_Global")
            return int(rows[0]["nb_cfg"]) if rows else 0

        nb_cfg = wait_until(find, "nb_cfg")
        for column in columns:
            databases.nb.update("SVC_Global", [], **{column: nb_cfg, f"{column}_timestamp": 1})

    thread = threading.Thread(target=run)
    thread.start()
    return thread


# -- one transaction -------------------------------------------------------


def test_later_commands_see_what_earlier_ones_made(svcctl: Svcctl, databases: Databases) -> None:
    add_router(databases, "r")
    out = svcctl.good(
        *("group-add", "g", "least", "--"),
        *("vpn-add", "mercury", "r", "1.0.0.100", "10.0.0.0/24", "--group=g", "--"),
        *("ike-policy-add", "p", "--"),
        *("--ike-policy=p", "--psk-file=/etc/hostname"),
        *("conn-add", "mercury", "c", "1.0.0.3", "10.1.0.0/24", "--"),
        *("set", "IPsec_Connection", "c", "mtu=1400", "--", "show", "mercury", "--"),
        *("get", "IPsec_Connection", "c", "mtu"),
    )
    assert out.endswith("peer subnets: 10.1.0.0/24\n1400\n")
    assert "    group: g\n" in out
    [row] = databases.nb.rows("IPsec_Connection")
    assert row["mtu"] == 1400


def test_one_bad_command_undoes_all(svcctl: Svcctl) -> None:
    words = ("group-add", "a", "--", "group-add", "b", "--")
    assert svcctl.bad(*words, "group-del", "c") == "c: group not found"
    assert svcctl.bad(*words, "nonsense") == "unknown command 'nonsense'; use --help for help"
    assert "already exists" in svcctl.bad(*words, "group-add", "a")


def test_what_the_server_refuses_is_one_line(svcctl: Svcctl, databases: Databases) -> None:
    svcctl.good("group-add", "g", "--", "group-add", "h")
    reason = svcctl.bad("set", "Container_Group", "g", "name=h")
    assert reason == "h: a group with this name already exists"
    svcctl.good("set-connection", "punix:a")
    words = ("add", "SVC_Global", ".", "connections", "@c", "--", "--id=@c")
    reason = svcctl.bad(*words, "create", "Connection", 'target="punix:a"')
    assert reason.startswith("transaction error: constraint violation: Transaction causes")


def test_a_row_deleted_and_made_anew_in_one_go(vpn: Svcctl, databases: Databases) -> None:
    vpn.good("vpn-del", "mercury", "--", "vpn-add", "mercury", "r", "1.0.0.9", "10.0.0.0/24")
    [row] = databases.nb.rows("VPN_Service")
    assert row["external_ips"] == "1.0.0.9"
    assert databases.nb.rows("IPsec_Connection") == []


def test_dry_run_shows_and_writes_nothing(vpn: Svcctl, databases: Databases) -> None:
    before = databases.nb.dump()
    assert "vpn mercury" not in vpn.good("--dry-run", "vpn-del", "mercury", "--", "show")
    assert vpn.good("--dry-run", "--wait=hv", "--timeout=5", "group-add", "g") == ""
    assert databases.nb.dump() == before


def test_two_at_the_same_time_lose_nothing(vpn: Svcctl, databases: Databases) -> None:
    running = []
    for number in range(8):
        words = ("conn-add", "mercury", f"c{number}", f"1.0.1.{number + 1}", f"10.{number}.0.0/16")
        running.append(vpn.start(*words, "--psk-file=-", stdin=subprocess.PIPE))
    for process in running:
        assert process.communicate("x\n") == ("", "")
    [row] = databases.nb.rows("VPN_Service")
    assert len(row["connections"][1]) == 9
    running = [vpn.start("group-add", "same") for _ in range(4)]
    complaints = [process.communicate()[1] for process in running]
    assert sorted(process.returncode for process in running) == [0, 1, 1, 1]
    assert all(text == "" or text.count("\n") == 1 for text in complaints)


# -- waiting ---------------------------------------------------------------


def test_wait_for_the_southbound(svcctl: Svcctl, databases: Databases) -> None:
    svcctl.good("init")
    thread = answer(databases, "sb_cfg")
    assert svcctl.good("--wait=sb", "--timeout=10", "group-add", "g") == ""
    thread.join()
    [row] = databases.nb.rows("SVC_Global")
    assert (row["nb_cfg"], row["sb_cfg"], row["hv_cfg"]) == (1, 1, 0)


def test_wait_for_all_chassis(svcctl: Svcctl, databases: Databases) -> None:
    thread = answer(databases, "sb_cfg", "hv_cfg")
    out = svcctl.good("--wait=hv", "--timeout=10", "--print-wait-time", "group-add", "g")
    thread.join()
    assert re.fullmatch(
        r"Time spent on processing nb_cfg 1:\n"
        r"\tsvc-northd delay before processing:\t-?\d+ms\n"
        r"\tsvc-northd completion:\t\t\t-?\d+ms\n"
        r"\tsvc-controller\(s\) completion:\t\t-?\d+ms\n",
        out,
    )


def test_who_changed_nothing_does_not_wait(svcctl: Svcctl, databases: Databases) -> None:
    svcctl.good("group-add", "g", "--", "init")
    svcctl.good("--wait=hv", "--timeout=5", "--may-exist", "group-add", "g")
    svcctl.good("--wait=hv", "--timeout=5", "group-list")
    svcctl.good("--wait=hv", "--timeout=5", "set", "Container_Group", "g", "name=g")
    assert databases.nb.rows("SVC_Global")[0]["nb_cfg"] == 0


def test_sync_waits_though_nothing_changes(svcctl: Svcctl, databases: Databases) -> None:
    svcctl.good("init")
    thread = answer(databases, "sb_cfg", "hv_cfg")
    svcctl.good("--wait=hv", "--timeout=10", "sync")
    thread.join()
    result = svcctl("sync")
    assert result.status == 0
    assert result.stderr == 'svcctl: warning: "sync" has no effect without --wait\n'
    assert databases.nb.rows("SVC_Global")[0]["nb_cfg"] == 1


@pytest.mark.parametrize(
    "words",
    [
        ("conn-set", "mercury", "c", "--mtu=1400"),
        ("set", "IPsec_Connection", "c", "mtu=1400"),
        ("set", "VPN_Service", "mercury", "enabled=true", "--", "group-add", "g"),
        ("conn-add", "mercury", "d", "1.0.0.4", "10.9.0.0/24", "--psk-file=/etc/hostname"),
    ],
)
def test_who_waits_hears_what_is_wrong(vpn: Svcctl, databases: Databases, words: list[str]) -> None:
    table = (
        "IPsec_Connection" if "IPsec_Connection" in words or "conn-set" in words else "VPN_Service"
    )
    databases.nb.update(table, [], status="error", status_message="no way to Venus")
    thread = answer(databases, "sb_cfg")
    result = vpn("--wait=sb", "--timeout=10", *words)
    thread.join()
    name = "c" if table == "IPsec_Connection" else "mercury"
    assert result == Result("", f"svcctl: warning: {name}: no way to Venus\n", 0)


def test_who_waits_for_something_else_hears_nothing(vpn: Svcctl, databases: Databases) -> None:
    databases.nb.update("VPN_Service", [], status="error", status_message="no way to Venus")
    thread = answer(databases, "sb_cfg")
    vpn.good("--wait=sb", "--timeout=10", "group-add", "g")
    thread.join()


def test_time_is_up(svcctl: Svcctl, databases: Databases) -> None:
    process = svcctl.start("--timeout=1", "--wait=sb", "group-add", "g")
    out, err = process.communicate()
    assert (process.returncode, out) == (-signal.SIGALRM, "")
    assert err == (
        "svcctl: timed out after 1 s while waiting for svc-northd (nb_cfg 1); "
        "the change is in the database\n"
    )
    assert len(databases.nb.rows("Container_Group")) == 1


def test_the_database_goes_while_somebody_waits(svcctl: Svcctl, databases: Databases) -> None:
    process = svcctl.start("--wait=sb", "group-add", "g")
    wait_until(lambda: databases.nb.rows("Container_Group"), "the row")
    databases.nb.stop()
    _, err = process.communicate()
    assert process.returncode == 1
    assert re.fullmatch(r"svcctl: unix:\S+: database connection lost \(.+\)\n", err)


def test_wait_until(svcctl: Svcctl, databases: Databases) -> None:
    process = svcctl.start("wait-until", "Container_Group", "g", "policy=least", "--", "group-list")
    databases.nb.insert("Container_Group", name="g")
    databases.nb.insert("Container_Group", name="h", policy="least")
    databases.nb.update("Container_Group", [["name", "==", "g"]], policy="least")
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert "g    least" in out


# -- secrets ---------------------------------------------------------------


def test_no_command_shows_a_secret(vpn: Svcctl, databases: Databases) -> None:
    databases.nb.insert("SVC_Global", seal_seed=SECRET)
    for words in (
        ("list", "IPsec_Connection"),
        ("-f", "json", "list", "IPsec_Connection"),
        ("-f", "table", "-d", "json", "find", "IPsec_Connection", f"psk={SECRET}"),
        ("get", "IPsec_Connection", "c", "psk"),
        ("list", "SVC_Global"),
        ("get", "SVC_Global", ".", "seal_seed"),
        ("show",),
        ("status",),
        ("conn-list", "mercury"),
        ("-f", "json", "conn-list", "mercury"),
    ):
        result = vpn(*words)
        # No svc-northd is active.
        assert (result.status, result.stderr) == (2 if words == ("status",) else 0, "")
        assert SECRET not in result.stdout
    assert "psk                 : <hidden>\n" in vpn.good("list", "IPsec_Connection")
    assert vpn.good("--show-secrets", "get", "IPsec_Connection", "c", "psk") == f"{SECRET}\n"


def test_no_secret_in_the_log_of_the_database(
    vpn: Svcctl, databases: Databases, tmp_path: Path
) -> None:
    words = ("conn-add", "mercury", "d", "1.0.0.4", "192.168.4.0/24", f"--psk={SECRET}")
    result = vpn(*words)
    assert result.status == 0
    assert result.stderr == (
        "svcctl: warning: --psk shows the key in the list of processes; use --psk-file\n"
    )
    log = tmp_path / "svcctl.log"
    # As a program, since what is logged within this process is for the tests to see.
    process = vpn.start(
        *("-v", "-vconsole:off", f"--log-file={log}"),
        *("set", "IPsec_Co", "d", f"ps={SECRET}1"),
    )
    warning = (
        "svcctl: warning: psk on the command line shows in the list of processes; "
        "use conn-set --psk-file\n"
    )
    assert process.communicate() == ("", warning)
    assert vpn("remove", "IPsec_Connection", "d", "psk", f"{SECRET}1") == Result("", warning, 0)
    assert vpn("add", "IPsec_Connection", "d", "psk", f"{SECRET}2") == Result("", warning, 0)
    result = vpn(
        *("add", "VPN_Service", "mercury", "connections", "@x", "--", "--id=@x"),
        *("create", "IPsec_Connection", "name=e", f"psk={SECRET}3"),
    )
    assert (result.status, result.stderr) == (0, warning)
    dump = subprocess.run(
        ["ovsdb-tool", "-mm", "show-log", databases.directory / "SVC_Northbound.db"],
        capture_output=True,
        text=True,
        check=True,
    )
    comments = re.findall(r'^record \d+: \S+ \S+ "(.*)"$', dump.stdout, re.MULTILINE)
    assert len(comments) == 7
    assert not [comment for comment in comments if SECRET in comment]
    assert "svcctl --psk=<hidden> conn-add mercury d 1.0.0.4 192.168.4.0/24" in comments
    assert "svcctl set IPsec_Co d <hidden>" in comments
    assert log.read_text()
    assert SECRET not in log.read_text()


def test_no_secret_in_a_complaint(vpn: Svcctl) -> None:
    for words in (
        ("set", "IPsec_Connection", "c", f'psk="{SECRET}'),
        ("set", "IPsec_Connection", "c", f"psk={SECRET},{SECRET}"),
        ("add", "IPsec_Connection", "c", "psk", f"{SECRET}x"),
        ("set", "IPsec_Connection", "c", f"psk={SECRET} {SECRET}"),
        ("conn-add", "mercury", "c", "1.0.0.4", "10.0.0.0/8", f"--psk={SECRET}", "--mtu=x"),
    ):
        assert SECRET not in vpn.bad(*words)


# -- rows by name, columns of svc-northd -----------------------------------


def test_a_reference_is_a_name_too(vpn: Svcctl, databases: Databases) -> None:
    vpn.good("group-add", "vpns", "--", "ike-policy-add", "p1", "--", "ike-policy-add", "a b")
    vpn.good("set", "VPN_Service", "mercury", "group=vpns")
    vpn.good("set", "IPsec_Connection", "c", "ike_policy=p1")
    [service], [group] = databases.nb.rows("VPN_Service"), databases.nb.rows("Container_Group")
    assert service["group"] == group["_uuid"]
    names = "--columns=name"
    assert vpn.good("--bare", names, "find", "IPsec_Connection", "ike_policy=p1") == "c\n"
    vpn.good("set", "IPsec_Connection", "c", 'ike_policy="a b"')
    assert vpn.good("--bare", names, "find", "IPsec_Connection", "ike_policy=p1") == ""
    vpn.good("create", "Container_Group", "name=new", "--", "set", "VPN_S", "mercury", "group=new")
    assert "group: new" in vpn.good("show", "mercury")
    assert vpn.bad("set", "IPsec_Connection", "c", "ike_policy=p2") == (
        '"p2" is not a valid UUID, and no row of IKE_Policy has that name'
    )


def test_a_connection_of_two_services_is_ambiguous(vpn: Svcctl) -> None:
    vpn.good("vpn-add", "venus", "r", "1.0.0.101", "192.168.9.0/24")
    vpn.good("conn-add", "venus", "c", "1.0.0.9", "10.9.0.0/24", "--psk-file=/etc/hostname")
    reason = vpn.bad("remove", "VPN_Service", "venus", "connections", "c")
    assert reason == 'multiple rows in IPsec_Connection match "c"'


def test_what_svc_northd_writes_is_not_for_others(vpn: Svcctl) -> None:
    warning = "svcctl: warning: status is for svc-northd to write, which may overwrite it\n"
    for words in (("set", "VPN_S", "mercury", "status=up"), ("clear", "VPN_S", ".", "status")):
        assert vpn(*words) == Result("", warning, 0)
    vpn.good("set", "VPN_Service", "mercury", "enabled=true")


# -- the program -----------------------------------------------------------


def test_the_program(svcctl: Svcctl, databases: Databases) -> None:
    def run(*words: str) -> tuple[str, str, int]:
        process = svcctl.start(*words)
        out, err = process.communicate()
        return out, err, process.returncode

    assert run("group-add", "g") == ("", "", 0)
    assert run("--bare", "--columns=name", "list", "Container_Group") == ("g\n", "", 0)
    assert run("group-add", "g") == ("", "svcctl: g: a group with this name already exists\n", 1)
    assert run("--version")[0].startswith(f"svcctl (ovnsvc) {VERSION}\nDB Schema ")


def test_a_reader_that_has_enough(svcctl: Svcctl, databases: Databases) -> None:
    databases.nb.transact(
        *(
            {"op": "insert", "table": "Container_Group", "row": {"name": f"g{number:04}"}}
            for number in range(3000)
        )
    )
    process = svcctl.start("list", "Container_Group")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() == 1


def test_a_psk_from_standard_input(vpn: Svcctl, databases: Databases) -> None:
    words = ("conn-add", "mercury", "d", "1.0.0.4", "10.0.0.0/8", "--psk-file=-")
    process = vpn.start(*words, stdin=subprocess.PIPE)
    assert process.communicate(f"{SECRET}\n") == ("", "")
    [row] = databases.nb.rows("IPsec_Connection", [["name", "==", "d"]])
    assert row["psk"] == SECRET


def test_help_and_completion_know_every_command(svcctl: Svcctl) -> None:
    text, commands = svcctl.good("--help"), svcctl.good("--commands")
    names = [line.split(",")[1] for line in commands.splitlines()]
    assert {"vpn-add", "conn-add", "list", "show", "sync"} <= set(names)
    assert all(f"\n  {name}" in text for name in names)
    assert "--psk-file=ARG" in svcctl.good("--options").split("\n")
    assert svcctl.good("-V") == svcctl.good("--version")
    usage = "usage: svcctl [OPTIONS]\n  vpn-del VPN\n      [--if-exists]\n"
    told = svcctl.good("vpn-del", "--help")
    assert told == svcctl.good("vpn-del", "-h") == svcctl.good("help", "vpn-del")
    assert told.startswith(f"{usage}\nRemoves a VPN service with its connections.\n\n")
    assert svcctl.good("help") == text
    for noun, row_class in (("ike", "IKE_Policy"), ("ipsec", "IPsec_Policy")):
        told = svcctl.good("help", f"{noun}-policy-add")
        columns = schema.load(schema.NORTHBOUND)["tables"][row_class]["columns"]
        for name in columns.keys() - {"name", "external_ids"}:
            assert f"\n  {name} " in told
            kind = columns[name]["type"]["key"]
            values = kind["enum"][1] if "enum" in kind else []
            groups = {f"group{number}" for number in range(14, 22)}  # in two words
            assert all(f"{each}" in told for each in set(values) - groups), name
    assert svcctl.bad("help", "nono") == svcctl.bad("nono", "--help")


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ("vpn-list -f json", "-f"),
        ("list VPN_Service --format=json", "--format"),
        ("vpn-del x --wait=hv", "--wait"),
    ],
)
def test_a_global_option_is_put_before_the_command(svcctl: Svcctl, words: str, option: str) -> None:
    assert svcctl.bad(*words.split()) == f'put "{option}" before the command'
    svcctl.good("comment", "-f", "is", "only", "a", "word")


def test_each_command_has_its_function() -> None:
    table = CommandTable()
    for command in table.list_all():
        known = table.find(command.name)
        assert known is not None
        assert (table.load(*known).__doc__ or "").strip(), command.name
    assert table.types.problems == []


def test_the_version_is_that_of_setup_py() -> None:
    text = (ROOT / "setup.py").read_text()
    assert f'version="{VERSION}"' in text
