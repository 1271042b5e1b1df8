"""What a server of OVSDB that refuses an operation is said to mean."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ..lib.refusal import describe_refusal
from .ovsdb import find_schema

_FULL = "; the file system of the database may be full, its server's log says more"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            {"error": "constraint violation", "details": "too many"},
            "constraint violation: too many",
        ),
        ({"error": "not supported"}, "not supported"),
        (
            {"error": "I/O error", "details": "x: write failed"},
            f"I/O error: x: write failed{_FULL}",
        ),
        ({}, ""),
    ],
)
def test_words(error: dict[str, str], words: str) -> None:
    assert describe_refusal(error) == words


def test_a_full_file_system_of_the_database_is_told(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """In a mount namespace of its own, which goes with its processes."""
    directory = tmp_path_factory.mktemp("full")
    svcctl = f"{sys.executable} -m ovnsvc.ctl.main --db=unix:db.sock"
    script = f"""
        mount -t tmpfs -o size=200k none {directory} && cd {directory} || exit 9
        ovsdb-tool create db {find_schema("SVC_Northbound")} || exit 9
        setpriv --pdeathsig KILL ovsdb-server -vconsole:off -vsyslog:off \
            --remote=punix:$PWD/db.sock --unixctl=$PWD/ctl db &
        until [ -S db.sock ]; do sleep 0.05; done
        {svcctl} init || exit 9
        dd if=/dev/zero of=other bs=1k count=1000 2>/dev/null
        {svcctl} set SVC_Global . external_ids:key={"x" * 50_000}
        echo $?
        kill $!
    """
    command = ["unshare", "--mount", "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
    assert done.stderr.startswith("svcctl: transaction error: I/O error: ")
    assert done.stderr.endswith(f"{_FULL}\n")
