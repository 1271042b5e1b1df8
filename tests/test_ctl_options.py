"""Options of svcctl beside those of commands: help, completion, logging, the environment."""

from __future__ import annotations

import re
import socket
import subprocess
from pathlib import Path

import pytest

from ..ctl.command_table import CommandTable
from .ovsdb import Databases
from .svcctl import ROOT, Svcctl


def test_every_command_says_what_it_does(svcctl: Svcctl) -> None:
    text = svcctl.good("--help")
    for command in CommandTable().list_all():
        usage, _, told = svcctl.good("help", command.name).partition("\n\n")
        assert usage.startswith(f"usage: svcctl [OPTIONS]\n  {command.name}")
        assert re.match(r"[A-Z].*\w \w", told), f"{command.name}: no text on what it does"
        assert f"\n  {command.name}" in text
    assert all(len(line) < 100 for line in text.splitlines() if "[--" not in line)


def test_lists_for_completion_are_of_the_form_of_ovn(svcctl: Svcctl) -> None:
    def read(output: str) -> dict[str, str]:
        return {line.split(",")[1]: line for line in output.splitlines()}

    done = subprocess.run(["ovn-nbctl", "--commands"], check=True, capture_output=True, text=True)
    theirs, ours = read(done.stdout), read(svcctl.good("--commands"))
    ours["set-ssl"] = ours["set-ssl"].replace("?SSL-CIPHERS", "!?SSL-CIPHERS")
    for name in ("list", "get", "set", "add", "remove", "clear", "create", "destroy", "set-ssl"):
        assert ours[name] == theirs[name]
    assert {name for name in theirs if name.count("-") == 0} <= ours.keys() | {"sync"}
    options = subprocess.run(["ovn-nbctl", "--options"], check=True, capture_output=True, text=True)
    # Those that commands on OVN's own tables have.
    general = options.stdout.partition("--if-exists\n")[0].split("\n")
    missing = set(general) - set(svcctl.good("--options").split("\n"))
    assert missing == {"--user=ARG", "--no-self-confinement"}


def test_options_of_the_environment(svcctl: Svcctl, monkeypatch: pytest.MonkeyPatch) -> None:
    svcctl.good("group-add", "g")
    monkeypatch.setenv("SVCCTL_OPTIONS", "--no-headings  --format='csv'")
    assert svcctl.good("--columns=name", "list", "Container_Group") == "g\n"
    assert svcctl.good("-f", "list", "--columns=name", "list", "Container_Group") == "g\n"
    monkeypatch.setenv("SVCCTL_OPTIONS", "'")
    assert svcctl.bad("show") == "SVCCTL_OPTIONS: No closing quotation"
    monkeypatch.setenv("SVCCTL_OPTIONS", "--nono")
    assert svcctl.bad("show") == "unrecognized option '--nono'"


def test_columns_are_cut(svcctl: Svcctl) -> None:
    svcctl.good("group-add", "a-long-name", "random")
    words = ("--format=table", "--columns=name,policy", "list", "Container_Group")
    assert svcctl.good("--max-column-width=4", *words).split("\n") == [
        "name policy",
        "---- ------",
        "a-lo random",
        "",
    ]
    assert svcctl.good("--max-column-width=4", "--no-headings", *words) == "a-lo rand\n"
    assert svcctl.good("--max-column-width=0", *words) == svcctl.good(*words)
    assert svcctl.bad("--max-column-width=x", *words) == (
        "value x on --max-column-width is invalid"
    )


def test_syslog_is_told_where_it_should(svcctl: Svcctl, tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as local,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
    ):
        local.bind(path)
        server.bind(("127.0.0.1", 0))
        for each in (local, server):
            each.settimeout(10)
        port = server.getsockname()[1]
        remotes = [each for each in svcctl.remotes() if each != "--no-syslog"]
        target = f"--syslog-target=127.0.0.1:{port}"
        told = r"Called as svcctl group-add g\d$"
        for number, (listener, form, options) in enumerate(
            (
                (local, r"<30>svcctl\[\d+\]: ", [f"--syslog-method=unix:{path}"]),
                (server, r"<30>svcctl\[\d+\]: ", [f"--syslog-method=udp:127.0.0.1:{port}"]),
                (server, r"<30>1 \S+Z \S+ svcctl \d+ - - ", ["--syslog-method=null", target]),
            )
        ):
            words = (*options, *remotes, "group-add", f"g{number}")
            process = svcctl.start(*words)
            assert process.communicate() == ("", "")
            assert re.match(form + told, listener.recv(1000).decode())
    for option in ("method=nono", "method=udp:127.0.0.1", "target=x:y", "target=nono.example:1"):
        assert svcctl.bad(f"--syslog-{option}", "show").startswith(f"--syslog-{option}: not ")
    process = svcctl.start("--syslog-method=unix:/nono", *remotes, "group-add", "g")
    assert process.communicate() == ("", "")


def test_patterns_of_the_log(svcctl: Svcctl, databases: Databases, tmp_path: Path) -> None:
    log = tmp_path / "log"
    words = ("-vfile:dbg", "-vPATTERN:file:%p said %m", f"--log-file={log}", *svcctl.remotes())
    assert svcctl.start(*words, "group-list").wait() == 0
    assert f"DBG said connected to {databases.nb.remote}" in log.read_text()
    said = svcctl.start("-vPATTERN:nono:%m", *svcctl.remotes(), "show").communicate()[1]
    assert said == ("svcctl: --verbose=PATTERN:nono:%m: not PATTERN:DESTINATION:PATTERN\n")


def test_bash_completes_commands_and_options() -> None:
    script = f"""
        PATH={ROOT}/utilities:$PATH
        source {ROOT}/utilities/svcctl.bash
        complete_last () {{
            COMP_WORDS=(svcctl "$@") COMP_CWORD=$#
            _svcctl
            echo "${{COMPREPLY[@]}}"
        }}
        for word in conn-a --psk-f chassis-group-; do
            complete_last "$word"
        done
        complete_last vpn-del conn-a
        complete_last --wait = hv --db = unix : /x conn-a
        complete_last --timeout 3 -d json conn-a
        complete_last vpn-del conn-add -- conn-a
        complete_last help conn-a
        complete_last vpn-add venus --m
    """
    done = subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        "conn-add",
        "--psk-file=",
        "chassis-group-add chassis-group-del chassis-group-list",
        "",
        *["conn-add"] * 4,
        "--max-column-width= --monitor --may-exist --mode= --mtu=",
    ]
