"""The options of the daemons for TLS."""

from __future__ import annotations

import argparse
import os
import subprocess
from pathlib import Path

import pytest

from ..lib import tls_options
from ..lib.errors import UsageError
from ..lib.tls import Keys
from .ovsdb import Databases

PROGRAM = Path(__file__).parent.parent / ".venv" / "bin" / "svc-northd"


def _parse(*words: str) -> Keys:
    parser = argparse.ArgumentParser()
    tls_options.add_options(parser)
    return tls_options.make_keys(parser.parse_args(words))


def test_options() -> None:
    assert _parse() == Keys()
    keys = _parse("-p", "key", "-c/c", "-C", "none", "--ssl-protocols=TLSv1.2, TLSv1.3")
    # A daemon that detaches has another directory.
    assert keys.files == (f"{os.getcwd()}/key", "/c", "none")
    assert keys.protocols == ("TLSv1.2", "TLSv1.3")
    assert keys.complete
    assert not _parse("-p/k", "-C/ca").complete
    # The last of the two counts, as with OVS.
    both = _parse("--ca-cert=/a", "--bootstrap-ca-cert=/b")
    assert (both.ca_cert, both.bootstrap, both.names[2]) == ("/b", True, "--bootstrap-ca-cert")
    both = _parse("--bootstrap-ca-cert=/b", "--ca-cert=/a")
    assert (both.ca_cert, both.bootstrap, both.names[2]) == ("/a", False, "--ca-cert")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--ssl-protocols=SSLv9"], "--ssl-protocols: SSLv9 is none of TLSv1, TLSv1.1, "),
        (["--ssl-protocols="], "--ssl-protocols: no protocol is named"),
        (["--ssl-ciphers=NONO"], "--ssl-ciphers: No cipher can be selected"),
        (["--ssl-ciphers="], "--ssl-ciphers: No cipher can be selected"),
        (["-p", ""], "--private-key: '' is not the name of a file"),
        (["-C", "a\0"], "--ca-cert: 'a\\x00' is not the name of a file"),
    ],
)
def test_a_value_that_cannot_be(words: list[str], problem: str) -> None:
    with pytest.raises(UsageError) as raised:
        _parse(*words)
    assert problem in str(raised.value)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--ssl-protocols=SSLv9"], "svc-northd: --ssl-protocols: SSLv9 is none of"),
        (
            ["--svcsb-db=ssl:127.0.0.1:1", "-p/k", "-C/ca"],
            "svc-northd: 'ssl:127.0.0.1:1': TLS needs --private-key, --certificate and --ca-cert",
        ),
        (["--svcsb-db=ssl:127.0.0.1:1", "-p/k", "-c/c", "-C/ca"], ""),
    ],
)
def test_a_daemon_says_so_in_a_line(databases: Databases, words: list[str], problem: str) -> None:
    made = subprocess.run(
        [PROGRAM, "--check-options", *words],
        env=databases.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == bool(problem)
    assert made.stderr.startswith(problem)
    assert made.stderr.count("\n") == bool(problem)
