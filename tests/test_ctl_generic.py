"""The generic database commands do what ovn-nbctl's do, on the same database.

Each case runs both: ovn-nbctl on one OVN_Northbound, svcctl on another that
holds the same, and compares output, status, complaints and what is then in
the database.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .ovsdb import OVN_NORTHBOUND, Database, Databases
from .svcctl import Result, Svcctl

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

SETUP = """
    ls-add sw0 -- ls-add sw1 -- lsp-add sw0 p0 -- lsp-add sw0 p1
    set Logical_Switch sw0 other_config:a=b other_config:c="x y" external_ids:true=false
    lsp-set-addresses p0 "00:00:00:00:00:01 1.2.3.4" dynamic
    lsp-set-type p1 router -- set Logical_Switch_Port p1 tag=7 enabled=true
    set NB_Global . options:x=1
"""

READING = """
    list NB_Global .
    list NB_G
    -f table list NB_Global
    -f csv list Logical_Switch sw0
    -f json list Logical_Switch sw0
    -f json --pretty list Logical_Switch sw0
    -f html --columns=name,other_config list Logical_Switch sw0
    --bare --columns=name,other_config,ports list Logical_Switch sw0 sw1
    -f table -d json --columns=name,other_config list Logical_Switch sw0
    -f table -d bare --columns=name,other_config list Logical_Switch sw1
    -f list -d bare --columns=name,other_config list Logical_Switch sw0 sw1
    -d json --columns=name,other_config,ports list Logical_Switch sw0
    --no-headings --columns=name,other_config list Logical_Switch sw0
    -f table --no-headings --columns=name,ports list Logical_Switch sw0
    -f csv --no-headings --columns=name,ports list Logical_Switch sw0
    -f html --no-headings --columns=name,tag find Logical_Switch_Port name=p0
    -f html --no-headings --columns=name list Logical_Switch sw0
    -f table --columns=name list ACL
    -f csv --columns=name list ACL
    list ACL
    list Logical_Switch sw0 -- list NB_Global
    -f table list Logical_Switch sw0 -- list NB_Global
    -f json list Logical_Switch sw0 -- list NB_Global
    --oneline list Logical_Switch sw0 -- get Logical_Switch sw0 name ports
    --oneline get Logical_Switch sw0 name -- get Logical_Switch sw0 ports
    get Logical_Switch sw0 name other_config other_config:a ports
    get Logical_Switch sw0 other_config:zz
    --if-exists get Logical_Switch sw0 other_config:zz
    get Logical_Switch sw9 name
    --if-exists get Logical_Switch sw9 name
    get Logical_Switch sw0
    get Logical_Swi sw0 name
    get Logical_Switch_P p0 addr up type
    get logical-switch-port p0 ADDRESSES
    get Logical_Switch_Port p1 tag enabled type
    get Logical_Switch_Port p1 tag:1
    get Foo sw0 name
    get Logical_Switch sw0 foo
    get Logical_Switch sw0 _uuid
    get NB_Global . nb_cfg options
    get NB_Global x nb_cfg
    list Logical_Switch 4
    list Logical_Switch 4444
    list
    get Logical_Switch
    foo
    --columns=name find Logical_Switch name=sw0 other_config={}
    --columns=name find Logical_Switch name=sw0 "other_config={a=b,c=\\"x y\\"}"
    --columns=name find Logical_Switch name!=sw0
    --columns=name find Logical_Switch name~=sw0
    --columns=name find Logical_Switch name
    --columns=name find Logical_Switch name=
    --columns=name find Logical_Switch name>sw0
    --columns=name find Logical_Switch name<=sw0
    --columns=name find Logical_Switch name{in}sw0,sw1
    --columns=name find Logical_Switch name{in}sw0
    --columns=name find Logical_Switch other_config:a=b
    --columns=name find Logical_Switch other_config:a!=b
    --columns=name find Logical_Switch other_config:zz!=b
    --columns=name find Logical_Switch other_config:zz{!=}b
    --columns=name find Logical_Switch other_config:a{in}a,b
    --columns=name find Logical_Switch other_config:a{not-in}a,c
    --columns=name find Logical_Switch name:a=b
    --columns=name,addresses find Logical_Switch_Port addresses{>=}dynamic
    --columns=name,addresses find Logical_Switch_Port addresses{<}dynamic,foo
    --columns=name,addresses find Logical_Switch_Port addresses{>}dynamic
    --columns=name,addresses find Logical_Switch_Port addresses{not-in}dynamic
    --columns=name find Logical_Switch_Port tag=7
    --columns=name find Logical_Switch_Port tag>=7
    --columns=name find Logical_Switch_Port tag!=7
    --columns=name find Logical_Switch_Port tag=[]
    --columns=name find Logical_Switch_Port enabled=yes
    --columns=name find Logical_Switch_Port enabled=perhaps
    --columns=name,nope find Logical_Switch_Port
    --columns=name,name find Logical_Switch_Port name=p0
    --columns= find Logical_Switch_Port
    --columns=, find Logical_Switch_Port
    wait-until Logical_Switch sw0 name=sw0
    wait-until Logical_Switch sw0 other_config:a=b ports!=[]
    -f foo list NB_Global
    -d foo list NB_Global
    --wait=foo list NB_Global
    -t x list NB_Global
    --timeout=-1 list NB_Global
    --db
    --ti list NB_Global
    --nonsense list NB_Global
    -Z list NB_Global
    --dry-run=1 list NB_Global

    --
    -- --
    list NB_Global -- -- list NB_Global
    --if-exists --if-exists get Logical_Switch sw9 name
    --bootstrap get Logical_Switch sw0 name
"""

WRITING = """
    set Logical_Switch sw0 name
    set Logical_Switch sw0 name=
    set Logical_Switch sw0 "name=a b"
    set Logical_Switch sw0 "name=\\"a b\\""
    set Logical_Switch sw0 "name=\\"a"
    set Logical_Switch sw0 name=\\"\\"
    set Logical_Switch sw0 name=a,b
    set Logical_Switch sw0 name=[]
    set Logical_Switch sw0 name=[a
    set Logical_Switch sw0 name=[a]x
    set Logical_Switch sw0 name=[a]
    set Logical_Switch sw0 name=true
    set Logical_Switch sw0 ports=@foo
    set Logical_Switch sw0 ports=[]
    set Logical_Switch sw0 other_config=a=b=c
    set Logical_Switch sw0 other_config=a=b,c=d
    set Logical_Switch sw0 other_config={}
    set Logical_Switch sw0 "other_config={a = b, c = d}"
    set Logical_Switch sw0 other_config:a:b=c
    set Logical_Switch sw0 other_config:new=c other_config:a=changed
    set Logical_Switch sw0 "other_config:a=b c"
    set Logical_Switch sw0 name:a=c
    set Logical_Switch_Port p0 enabled=maybe
    set Logical_Switch_Port p0 enabled=on tag=3
    set Logical_Switch_Port p0 tag=5000
    set Logical_Switch_Port p0 tag=1,2
    set Logical_Switch_Port p0 addresses=[a,b,c]
    set Logical_Switch_Port p0 addresses=1:2
    set Logical_Switch_Port p0 addresses=a,a
    set Logical_Switch nono name=x
    --if-exists set Logical_Switch nono name=x
    create ACL priority=40000
    create ACL priority=4 direction=foo
    create ACL priority=4 direction=from-lport match=1 action=drop
    --id=@a create ACL priority=4 direction=from-lport match=1 action=drop
    --id=@a create ACL direction=to-lport action=drop -- set Logical_Switch sw0 acls=@a
    --id=a create ACL priority=4 direction=from-lport match=1 action=drop
    create Logical_Switch
    create Logical_Switch name=x1 other_config:a=b other_config:c=d
    create Logical_Switch name=x1 name=x2
    --dry-run create Logical_Switch name=x2
    --dry-run create Logical_Switch name=x2 -- --columns=name,other_config list Logical_Switch x2
    create Logical_Switch name=x2 -- set Logical_Switch x2 copp=[] -- set NB_G . ipsec=on
    create Logical_Switch name=x2 -- set Logical_Switch nono other_config:a=b
    add Logical_Switch sw0 other_config foo=bar
    add Logical_Switch sw0 acls @a -- --id=@a create ACL priority=4 direction=to-lport action=drop
    add Logical_Switch_Port p0 tag 4
    add Logical_Switch_Port p0 addresses x y,z
    add Logical_Switch nono other_config foo=bar
    remove Logical_Switch sw0 other_config a=nn c
    remove Logical_Switch sw0 other_config a=b
    remove Logical_Switch sw0 other_config nono
    remove Logical_Switch sw0 name sw0
    remove Logical_Switch_Port p0 addresses dynamic nono
    remove Logical_Switch_Port p1 tag 7
    clear Logical_Switch sw0 other_config name
    clear Logical_Switch sw0 other_config external_ids
    clear Logical_Switch sw0 ports
    clear Logical_Switch nono ports
    --if-exists clear Logical_Switch nono ports
    destroy Logical_Switch nono
    --if-exists destroy Logical_Switch nono
    destroy Logical_Switch sw0 sw1
    destroy Logical_Switch sw0 -- get Logical_Switch sw0 name
    --all destroy Logical_Switch x1
    --all --if-exists destroy Logical_Switch
    --all destroy Logical_Switch
    destroy Logical_Switch_Port p0
    --id=@s get Logical_Switch sw0 -- set Logical_Switch sw1 copp=@s
"""

DIFFERENT = {
    # ovn-nbctl prints a NUL character, and the server's complaint in JSON.
    "set Logical_Switch sw0 other_config=a": 'a: syntax error at end of value expecting "="',
    "set Logical_Switch sw0 ports=foo": (
        '"foo" is not a valid UUID, and no row of Logical_Switch_Port has that name'
    ),
    "set Logical_Switch sw0 _uuid=c": "Logical_Switch: column _uuid cannot be changed",
    "set Logical_Switch_Port p0 tag=x": '"x" is not a valid integer',
    "add Logical_Switch sw0 name foo": (
        "Logical_Switch column name: 2 value(s) specified but the maximum number is 1"
    ),
    "add Logical_Switch_Port p1 tag 5": (
        "Logical_Switch_Port column tag: 2 value(s) specified but the maximum number is 1"
    ),
    "set ACL x foo": 'no row "x" in table ACL',
    "--id=@a create ACL priority=4 -- add Logical_Switch sw0 acls @a": (
        "transaction error: constraint violation: "
    ),
}


def split(text: str) -> list[str]:
    """Returns the lines of a table of cases."""
    return [line.strip() for line in text.strip("\n").rstrip(" ").split("\n")]


def words_of(line: str) -> list[str]:
    """Returns the words of a line, of which "..." holds spaces and \\" is a quote."""
    found = re.findall(r'(?:[^\s"\\]|\\.|"(?:[^"\\]|\\.)*")+', line)
    return [re.sub(r'(?<!\\)"', "", word).replace('\\"', '"') for word in found]


class Pair:
    """Two OVN_Northbound with the same rows, one for each program."""

    def __init__(self, databases: Databases, svcctl: Svcctl, other: Database) -> None:
        self.databases = databases
        self.svcctl = svcctl
        self.other = other
        for database in (databases.ovn_nb, other):
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
        return theirs, self.svcctl(*words_of(line), database=OVN_NORTHBOUND)

    def _command(self, database: Database, line: str) -> list[str]:
        return ["ovn-nbctl", f"--db={database.remote}", "--no-syslog", *words_of(line)]


@pytest.fixture
def pair(databases: Databases, svcctl: Svcctl, tmp_path_factory: Any) -> Iterator[Pair]:
    directory: Path = tmp_path_factory.mktemp("other")
    other = Database(directory, OVN_NORTHBOUND)
    yield Pair(databases, svcctl, other)
    other.stop()


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


def test_reading(pair: Pair) -> None:
    different = []
    for line in split(READING):
        theirs, ours = (normalize(result) for result in pair.run_both(line))
        if ours != theirs:
            different.append((line, ours, theirs))
    assert not different


@pytest.mark.parametrize("line", split(WRITING))
def test_writing(pair: Pair, line: str) -> None:
    theirs, ours = pair.run_both(line)
    assert normalize(ours) == normalize(theirs)
    assert dump(pair.databases.ovn_nb) == dump(pair.other)


@pytest.mark.parametrize("line", DIFFERENT)
def test_what_is_said_in_other_words(pair: Pair, line: str) -> None:
    before = dump(pair.databases.ovn_nb)
    theirs, ours = pair.run_both(line)
    assert theirs.status == ours.status == 1
    assert DIFFERENT[line] in ours.stderr
    assert dump(pair.databases.ovn_nb) == dump(pair.other) == before


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
