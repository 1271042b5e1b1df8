"""The generic database commands do what ovn-nbctl's do, on the same database.

Each case runs both: ovn-nbctl on one OVN_Northbound, svcctl on another that
holds the same, and compares output, status, complaints and what is then in
the database.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .ovsdb import OVN_NORTHBOUND, Database, Databases, request
from .svcctl import Result, Svcctl

PARTS = 4

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

SETUP = """
    ls-add sw0 -- ls-add sw1 -- lsp-add sw0 p0 -- lsp-add sw0 p1
    set Logical_Switch sw0 other_config:a=b other_config:c="x y" external_ids:true=false
    lsp-set-addresses p0 "00:00:00:00:00:01 1.2.3.4" dynamic
    lsp-set-type p1 router -- set Logical_Switch_Port p1 tag=7 enabled=true
    set NB_Global . options:x=1
"""

_PAIR = 'syntax error at end of value expecting "="'
_REFUSED = "transaction error: constraint violation: "
_TAKEN = f"{_REFUSED}Transaction causes multiple rows"

# What svcctl does otherwise on purpose: its status, and what its complaint has.
INTENDED = {
    # ovn-nbctl prints a NUL character.
    "set Logical_Switch sw0 other_config=a": (1, _PAIR),
    "set Logical_Switch sw0 o=x": (1, _PAIR),
    "add Logical_Switch sw0 other_config x": (1, _PAIR),
    # It prints the server's complaint as JSON, where it does not find the mistake itself.
    "add Logical_Switch sw0 name foo": (1, "Logical_Switch column name: 2 value(s) specified but"),
    "add Logical_Switch_Port p1 tag 5": (1, "2 value(s) specified but the maximum number is 1"),
    "add Logical_Switch_Port p0 tag 1 2": (1, "2 value(s) specified but the maximum number is 1"),
    "add Logical_Switch_Port p0 tag 3-4": (1, "2 value(s) specified but the maximum number is 1"),
    "create NB_Global name=x": (1, f"{_REFUSED}transaction causes "),
    "create Address_Set name=as1 -- create Address_Set name=as1": (1, _TAKEN),
    "--id=@p create Logical_Switch_Port name=p0 -- add Logical_Switch sw0 ports @p": (1, _TAKEN),
    "--id=@a create ACL priority=4 -- add Logical_Switch sw0 acls @a": (1, _REFUSED),
    # A reference may be given by the name of what it refers to.
    "set Logical_Switch sw0 ports=foo": (1, "no row of Logical_Switch_Port has that name"),
    "add Logical_Switch sw0 ports nono": (1, "no row of Logical_Switch_Port has that name"),
    "remove Logical_Switch sw0 ports nono": (1, "no row of Logical_Switch_Port has that name"),
    "set Logical_Switch_Port p0 dhcpv4_options=nono": (1, "no row of DHCP_Options has that name"),
    "set Logical_Switch sw0 ports=p0": (0, ""),
    # A UUID may be looked for, and is a column that nobody changes.
    "--columns=name find Logical_Switch_Port _uuid=x": (1, '"x" is not a valid UUID'),
    "set Logical_Switch sw0 _uuid=c": (1, "Logical_Switch: column _uuid cannot be changed"),
    "clear Logical_Switch sw0 _uuid": (1, "Logical_Switch: column _uuid cannot be changed"),
    # To wait for a row that need not be there is to go on.
    "--if-exists wait-until Logical_Switch nono": (0, ""),
    # Options of a command may follow its name; none of ovn-nbctl's own commands shortens these.
    "get --if-exists Logical_Switch nono name": (0, ""),
    "list --columns=name Logical_Switch sw0": (0, ""),
    "list Logical_Switch sw0 --columns=name": (0, ""),
    "--f=csv --columns=name list Logical_Switch sw0": (0, ""),
    # What is no number is told.
    "--max-column-width=x list NB_Global": (1, "value x on --max-column-width is invalid"),
}


def read_lines() -> tuple[list[str], list[str]]:
    """Returns the command lines that read, and those that write."""
    text = Path(__file__).with_name("nbctl_lines.txt").read_text(encoding="utf-8")
    reading, _, writing = text.partition("# What writes")
    return tuple(  # type: ignore[return-value]
        [line for line in half.split("\n") if line and not line.startswith(("#", ","))]
        for half in (reading, writing)
    )


def split(text: str) -> list[str]:
    """Returns the lines of a table of cases."""
    return [line.strip() for line in text.strip("\n").rstrip(" ").split("\n")]


def words_of(line: str) -> list[str]:
    """Returns the words of a line, of which "..." holds spaces and \\" is a quote."""
    found = re.findall(r'(?:[^\s"\\]|\\.|"(?:[^"\\]|\\.)*")+', line)
    return [re.sub(r'(?<!\\)"', "", word).replace('\\"', '"') for word in found]


class Pair:
    """Two OVN_Northbound with the same rows, one for each program."""

    def __init__(self, databases: Databases, other: Database) -> None:
        self.databases = databases
        self.svcctl = Svcctl(databases)
        self.other = other
        self._tables = sorted(request(other.socket, "get_schema", [other.name])["tables"])
        self._content: list[str] | None = None
        self.restore()
        self._content = dump(other)

    def restore(self) -> None:
        """Makes both what SETUP says, unless they are so."""
        for database in (self.databases.ovn_nb, self.other):
            if dump(database) == self._content:
                continue
            deletes = [{"op": "delete", "table": name, "where": []} for name in self._tables]
            database.transact(*deletes)
            for line in split(SETUP):
                subprocess.run(self._command(database, line), check=True)

    def run_both(self, line: str) -> tuple[Result, Result]:
        """Returns what ovn-nbctl did with its database, and svcctl with its own."""
        done = subprocess.run(
            self._command(self.other, line), capture_output=True, text=True, check=False
        )
        theirs = Result(
            done.stdout, done.stderr.replace("ovn-nbctl: ", "svcctl: "), done.returncode
        )
        return theirs, self.run_ours(line)

    def run_ours(self, line: str) -> Result:
        """Returns what svcctl did with its own."""
        return self.svcctl(*words_of(line), database=OVN_NORTHBOUND)

    def _command(self, database: Database, line: str) -> list[str]:
        return ["ovn-nbctl", f"--db={database.remote}", "--no-syslog", *words_of(line)]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The pair, for tests that leave it as it was."""
    databases = Databases(tmp_path_factory.mktemp("db"))
    other = Database(tmp_path_factory.mktemp("other"), OVN_NORTHBOUND)
    yield Pair(databases, other)
    databases.stop()
    other.stop()


@pytest.fixture
def pair(both: Pair) -> Pair:
    both.restore()
    return both


def normalize(result: Result) -> tuple[list[str], list[str], int]:
    """Returns a result without what differs between two databases or two programs."""
    # The order of rows is that of their UUIDs, which are random.
    stdout = sorted(UUID.sub("UUID", result.stdout).removesuffix("\n").split("\n\n"))
    complaints = [
        line
        for line in UUID.sub("UUID", result.stderr).split("\n")
        if not re.match(r"[0-9]{4}-|svcctl: warning: ", line)
    ]
    return stdout, complaints, result.status


def dump(database: Database) -> list[str]:
    """Returns the rows of a database without their UUIDs."""
    content = database.dump()
    rows = [f"{table} {row}" for table, rows in content.items() for row in rows]
    return sorted(UUID.sub("UUID", re.sub(r"'_version': [^\]]*\]", "", row)) for row in rows)


def find_different(pair: Pair, lines: Iterable[str]) -> dict[str, Any]:
    """Returns what both said where that differs, and nobody wants it so."""
    different = {}
    for line in lines:
        theirs, ours = (normalize(result) for result in pair.run_both(line))
        if ours != theirs and line not in INTENDED:
            different[line] = ours, theirs
    return different


def find_differently_done(pair: Pair, lines: Iterable[str]) -> dict[str, Any]:
    """As find_different(), of lines that write, and where the databases differ after them."""
    different = {}
    for line in lines:
        pair.restore()
        theirs, ours = (normalize(result) for result in pair.run_both(line))
        same = ours == theirs and dump(pair.databases.ovn_nb) == dump(pair.other)
        if not same and line not in INTENDED:
            different[line] = ours, theirs
    return different


def test_what_reads_says_the_same(pair: Pair) -> None:
    reading, _ = read_lines()
    assert len(reading) > 100
    assert not find_different(pair, ("", *reading))


@pytest.mark.parametrize("part", range(PARTS))
def test_what_writes_says_and_does_the_same(pair: Pair, part: int) -> None:
    _, writing = read_lines()
    assert len(writing) > 100
    assert not find_differently_done(pair, writing[part::PARTS])


def test_what_is_done_otherwise_is_so_on_purpose(pair: Pair) -> None:
    for line, (status, words) in INTENDED.items():
        pair.restore()
        before = dump(pair.other)
        theirs, ours = pair.run_both(line)
        assert normalize(ours) != normalize(theirs), f"no difference: {line}"
        assert ours.status == status, line
        assert words in ours.stderr, line
        if status:
            assert dump(pair.databases.ovn_nb) == before, line


def test_add_keeps_the_value_of_a_key_as_the_manual_says(pair: Pair) -> None:
    words = words_of("add Logical_Switch sw0 other_config a=other n=new")
    assert pair.svcctl(*words, database=OVN_NORTHBOUND).status == 0
    words = words_of("get Logical_Switch sw0 other_config:a other_config:n")
    assert pair.svcctl(*words, database=OVN_NORTHBOUND).stdout == "b\nnew\n"


def test_all_rows_are_listed(pair: Pair) -> None:
    names = ["--bare", "--columns=name", "list", "Logical_Switch"]
    ours = pair.svcctl(*names, database=OVN_NORTHBOUND)
    assert sorted(ours.stdout.split()) == ["sw0", "sw1"]


def test_a_prefix_of_a_uuid_is_enough(pair: Pair) -> None:
    [row] = pair.databases.ovn_nb.rows("Logical_Switch", [["name", "==", "sw0"]])
    uuid = row["_uuid"][1]
    for prefix in (uuid, uuid[:8], uuid[:4], uuid.upper()):
        found = pair.svcctl("get", "Logical_Switch", prefix, "name", database=OVN_NORTHBOUND)
        assert found.stdout == "sw0\n"
    found = pair.svcctl("get", "Logical_Switch", uuid[:3], "name", database=OVN_NORTHBOUND)
    assert found.status == 1
