"""What a daemon of svcctl keeps: it says what a command says that asks the server."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from random import Random

import pytest

from ..ctl.command_table import CommandTable
from ..ctl.db import follower
from ..ctl.db.kept_replica import Unkept
from ..ctl.reading import Pass, Reading
from ..ctl.tool import SVCCTL, Tool
from ..lib.errors import UsageError
from ..lib.schema import NORTHBOUND
from .cluster import start_cluster
from .older_schema import make_older
from .ovsdb import OVN_NORTHBOUND, Databases, wait_until
from .random_rows import NASTY
from .svcctl import Svcctl, add_router
from .test_ctl_generic import SETUP, read_lines, split, words_of

GROUP = "Container_Group"
POLICIES = ("least", "random", "weighted", "load")
STEPS = 40

STYLES = (
    *("", "--no-headings", "--bare", "-d bare", "-d json", "-f table", "-f table -d bare"),
    *("-f table --max-column-width=7", "-f table --no-headings", "-f csv", "-f csv -d json"),
    *("-f html", "-f json", "-f json --pretty", "--oneline"),
)
LINES = (
    *(f"{style} list {GROUP}" for style in STYLES),
    *(f"{style} --columns=name,_uuid,options list {GROUP}" for style in STYLES),
    f"find {GROUP} policy=random",
    f"find {GROUP} policy!=random spread=[]",
    f"--columns=name,name find {GROUP} external_ids:k=v",
    f"--columns=name find {GROUP} external_ids:k!=v",
    f"--columns=name find {GROUP} external_ids={{k=v}}",
    f"--columns=name find {GROUP} external_ids{{>=}}k=v",
    f"--columns=name find {GROUP} external_ids:k{{not-in}}v,w",
    f"--columns=name find {GROUP} name>g3 name<g7",
    f"--columns=name find {GROUP} name=nono",
    f"list {GROUP} g1 g2",
    f"--if-exists list {GROUP} g1 nono",
    f"get {GROUP} g1 name options external_ids _uuid -- --if-exists get {GROUP} g2 options:x",
    f"list SVC_Global . -- list {GROUP} -- get {GROUP} g3 name",
)


class Kept:
    """A process that reads, within this one, and what it is held to."""

    def __init__(self, svcctl: Svcctl, database: str = NORTHBOUND, *options: str) -> None:
        self._svcctl = svcctl
        self._database = database
        tool = SVCCTL
        if database != tool.database:
            tool = Tool(tool.name, tool.purpose, database, tool.sections)
        self._orders, _ = socket.socketpair()
        words = [*svcctl.remotes(database), *options]
        self.reading = Reading(CommandTable(tool), words, self._orders)

    def ask(self, *words: str) -> str | None:
        """Returns what is printed, None if a process of its own is to say it."""
        try:
            return self.reading.answer(words)
        except Unkept:
            self.reading.load(words)
        except (Pass, UsageError):
            return None
        try:
            return self.reading.answer(words)
        except (Pass, UsageError, Unkept):
            return None

    def check(self, *words: str) -> str | None:
        """As ask(), which must be what a command says."""
        told = self.ask(*words)
        result = self._svcctl(*words, database=self._database)
        if told is not None:
            assert (told, "", 0) == (result.stdout, result.stderr, result.status), words
        return told

    def find_places(self, *words: str) -> list[list[str]]:
        """Returns what is told of rows to the process of a command that is not for this one."""
        self.ask(*words)
        try:
            self.reading.answer(words)
        except Pass as passed:
            return [list(each) for each in passed.places]
        return []


@pytest.fixture
def kept(svcctl: Svcctl) -> Iterator[Kept]:
    made = Kept(svcctl)
    yield made
    made.reading.close()


@pytest.fixture
def kept_ovn(svcctl: Svcctl) -> Iterator[Kept]:
    made = Kept(svcctl, OVN_NORTHBOUND)
    yield made
    made.reading.close()


def change(databases: Databases, random: Random) -> None:
    """Adds, changes or removes rows at random, of any content."""
    number = random.randrange(9)
    where = [["name", "==", f"g{number}"]]
    pairs = [[f"{random.choice(NASTY)}{n}", random.choice(NASTY)] for n in range(3)]
    known = random.choice(([], [["k", "v"]], [["k", "w"]]))
    columns = {
        "policy": random.choice(POLICIES),
        "options": ["map", pairs[: random.randrange(4)]],
        "external_ids": ["map", [*known, *pairs[: random.randrange(3)]]],
    }
    if not databases.nb.rows(GROUP, where):
        databases.nb.insert(GROUP, name=f"g{number}", **columns)
    elif random.random() < 0.3:
        databases.nb.delete(GROUP, where)
    else:
        databases.nb.update(GROUP, where, **columns)


def test_it_says_what_a_command_says_whatever_happens(kept: Kept, databases: Databases) -> None:
    random = Random(1)
    said = 0
    for step in range(STEPS):
        change(databases, random)
        lines = LINES if step % 8 == 0 else random.sample(LINES, 6)
        said += sum(kept.check(*line.split()) is not None for line in lines)
    assert said > 3 * STEPS


def test_it_says_what_ovn_nbctl_is_held_to(kept_ovn: Kept, databases: Databases) -> None:
    import subprocess

    for line in split(SETUP):
        command = ["ovn-nbctl", f"--db={databases.ovn_nb.remote}", "--no-syslog", *words_of(line)]
        subprocess.run(command, check=True)
    reading, _ = read_lines()
    said = [line for line in reading if kept_ovn.check(*words_of(line)) is not None]
    assert len(said) > 60


def test_a_secret_is_not_kept(kept: Kept, databases: Databases, svcctl: Svcctl) -> None:
    secret = "correct-horse"
    add_router(databases, "r")
    (databases.directory / "psk").write_text(secret)
    svcctl("--no-check", *["vpn-add", "mercury", "r", "1.0.0.100", "192.168.1.0/24"])
    site = ("conn-add", "mercury", "c", "1.0.0.3", "10.1.0.0/24")
    svcctl("--no-check", *site, f"--psk-file={databases.directory / 'psk'}")
    for line in ("list IPsec_Connection", "get IPsec_Connection c psk", "find IPsec_Connection"):
        told = kept.check(*line.split())
        assert told is not None
        assert "<hidden>" in told
    for line in (
        f"find IPsec_Connection psk={secret}",
        f"find IPsec_Connection psk!={secret}",
        "--show-secrets get IPsec_Connection c psk",
    ):
        assert kept.ask(*line.split()) is None
    table = kept.reading.tables["IPsec_Connection"]
    assert len(table) == 1
    assert secret not in repr([table.find_values(row.uuid) for row in table.list_rows()])


def test_what_it_cannot_say_is_for_others(kept: Kept, databases: Databases) -> None:
    databases.nb.insert(GROUP, name="g1")
    for line in (
        f"--timeout=5 get {GROUP} g1 name",
        f"--wait=sb get {GROUP} g1 name",
        f"get {GROUP} nono name",
        f"get {GROUP} g1 nono",
        "get Nono g1 name",
        f"--db=unix:/nono list {GROUP}",
        f"set {GROUP} g1 policy=random",
        f"get {GROUP} g1 name -- wait-until {GROUP} g1",
        f"create {GROUP} name=list",
        "group-list",
        "list --help",
        "--version",
    ):
        assert kept.ask(*line.split()) is None, line


def test_a_command_is_told_where_its_row_is(
    kept: Kept, databases: Databases, svcctl: Svcctl
) -> None:
    uuid = databases.nb.insert(GROUP, name="g1")
    other = databases.nb.insert(GROUP, name="g2")
    place = [GROUP, "name", "g1", uuid]
    for line in (
        f"set {GROUP} g1 policy=random",
        f"-t 5 get {GROUP} g1 name",
        f"clear {GROUP} g1 options -- add {GROUP} {other} options a=b",
    ):
        assert kept.find_places(*line.split()) == [place], line
    both = [place, [GROUP, "name", "g2", other]]
    assert kept.find_places("destroy", GROUP, "g1", "g2", "g3") == both
    assert kept.find_places("set", GROUP, "g=1", "policy=random") == []
    databases.nb.update(GROUP, [["name", "==", "g1"]], name="g3")
    assert kept.find_places("set", GROUP, "g1", "policy=random") == []


def test_more_than_is_to_be_kept_is_not(
    kept: Kept, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    databases.nb.insert(GROUP, name="g1")
    assert kept.check("list", GROUP) is not None
    monkeypatch.setattr(follower, "MOST_BYTES", 60_000)
    for number in range(400):
        databases.nb.insert("Chassis_Group", name=f"{number:0>100}")
    assert kept.ask("list", "Chassis_Group") is None
    # What is small enough is kept, and nothing is tried again.
    assert kept.check("list", GROUP) is not None
    assert kept.ask("list", "Chassis_Group") is None
    assert list(kept.reading.tables) == [GROUP]
    # What has changed so often that it would be too much is read anew.
    for number in range(300):
        databases.nb.update(GROUP, [], external_ids=["map", [["k", f"{number:0>100}"]]])
    wait_until(lambda: kept.ask("list", GROUP) is not None, "the rows")
    assert kept.check("list", GROUP) is not None


def test_another_schema_and_another_server_are_followed(kept: Kept, databases: Databases) -> None:
    databases.nb.insert(GROUP, name="g1")
    databases.nb.insert("VPN_Service", name="mercury")
    columns = kept.check("list", "VPN_Service")
    assert columns is not None
    assert "\nsince " in columns
    databases.nb.convert(make_older(NORTHBOUND))
    wait_until(lambda: kept.ask("list", "VPN_Service") is not None, "the schema")
    older = kept.check("list", "VPN_Service")
    assert older is not None
    assert "\nsince " not in older
    databases.nb.replace(databases.nb.make_empty_file())
    wait_until(lambda: kept.ask("list", GROUP) is not None, "the other server")
    assert kept.check("--columns=name", "list", GROUP) == ""
    databases.nb.detach()
    assert kept.ask("list", GROUP) is None
    databases.nb.attach()
    wait_until(lambda: kept.ask("list", GROUP) is not None, "the database")


def test_the_leader_of_a_cluster_is_followed(databases: Databases, svcctl: Svcctl) -> None:
    servers = start_cluster(databases.directory, databases.nb.name, 3)
    every = f"--db={','.join(each.remote for each in servers)}"
    kept = Kept(svcctl, NORTHBOUND, every)
    get = ("get", GROUP, "g", "policy")
    try:
        svcctl.good(every, "group-add", "g", "random")
        assert kept.ask(*get) == "random\n"
        servers.pop().stop()
        wait_until(lambda: any(each.is_leader() for each in servers), "another leader")
        svcctl.good(every, "group-set", "g", "--policy=least")
        wait_until(lambda: kept.ask(*get) is not None, "the other leader")
        for policy in (*POLICIES, *POLICIES):
            svcctl.good(every, "group-set", "g", f"--policy={policy}")
            assert kept.ask(*get) == f"{policy}\n"
    finally:
        kept.reading.close()
        for each in servers:
            each.stop()


def test_words_that_no_database_could_have_are_for_others_to_refuse(
    kept: Kept, databases: Databases
) -> None:
    databases.nb.insert(GROUP, name="g1")
    assert kept.check("find", GROUP, "name!=x") is not None
    for word in ("name!=\ud800", "name!=x\0"):
        assert kept.ask("find", GROUP, word) is None
