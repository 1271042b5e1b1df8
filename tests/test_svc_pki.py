"""svc-pki: keys and certificates, with real servers; one that is killed leaves nothing half."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..lib import schema
from .ovsdb import find_schema, wait_until
from .pki import Authority
from .tls import find_free_port, is_listening

PROGRAM = Path(__file__).parent.parent / "utilities" / "svc-pki"
# Runs the program of its name, but kills svc-pki in place of the Nth call.
_KILLER = """#!/bin/sh
echo >> "$COUNT"
test "$(wc -l < "$COUNT")" != "$FATAL" || kill -9 $PPID
PATH=${PATH#*:} exec "${0##*/}" "$@"
"""


class Pki:
    """A directory of svc-pki."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.environment = dict(os.environ)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = ["sh", "-c", 'umask 0; exec "$@"', "sh", str(PROGRAM), f"--dir={self.path}"]
        return subprocess.run(
            [*command, *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def good(self, *words: str) -> str:
        """Returns the output of a run that must succeed."""
        done = self.run(*words)
        assert (done.returncode, done.stderr) == (0, ""), f"{words}: {done}"
        return done.stdout

    def refused(self, *words: str) -> str:
        """Returns the one line of a run that must fail."""
        done = self.run(*words)
        assert (done.returncode, done.stdout) == (1, ""), f"{words}: {done}"
        assert done.stderr.startswith("svc-pki: ")
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr[len("svc-pki: ") : -1]

    def list_remarks(self) -> dict[str, str]:
        """Returns what 'show' remarks, by kind and name."""
        lines = [line.split(maxsplit=3) for line in self.good("show").splitlines()[1:]]
        return {f"{line[0]} {line[1]}": " ".join(line[3:]) for line in lines}

    def fits(self, kind: str, name: str, trust: str) -> bool:
        """Returns whether a certificate is one of its key, and of an authority in 'trust'."""
        place = self.path / kind / name
        verify = ["openssl", "verify", "-CAfile", str(self.path / trust), str(place / "cert.pem")]
        if subprocess.run(verify, capture_output=True, check=False).returncode:
            return False
        read = ("openssl", "pkey", "-in", str(place / "privkey.pem"), "-pubout")
        certified = ("openssl", "x509", "-in", str(place / "cert.pem"), "-noout", "-pubkey")
        keys = [subprocess.run(each, capture_output=True, check=True) for each in (read, certified)]
        return keys[0].stdout == keys[1].stdout


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Two authorities, and one of each kind."""
    made = Pki(tmp_path_factory.mktemp("made") / "pki")
    made.good("init")
    for kind, name in (("server", "central"), ("chassis", "hv1"), ("client", "ops")):
        assert made.good(kind, name).startswith(f"{kind} {name}: key and certificate are made")
    return made


@pytest.fixture
def pki(made_once: Pki, tmp_path: Path) -> Pki:
    """The same for each test."""
    shutil.copytree(made_once.path, tmp_path / "pki")
    return Pki(tmp_path / "pki")


def test_only_its_owner_may_read_a_key_under_any_umask(pki: Pki) -> None:
    modes = {each: each.stat().st_mode & 0o777 for each in (pki.path, *pki.path.rglob("*"))}
    assert {modes[each] for each in modes if each.is_dir()} == {0o700}
    keys = {mode for each, mode in modes.items() if each.name == "privkey.pem"}
    assert (keys, len(list(pki.path.rglob("privkey.pem")))) == ({0o600}, 5)
    certificates = {mode for each, mode in modes.items() if each.name.endswith("cert.pem")}
    assert certificates == {0o644}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("chassis", "hv1"), "/chassis/hv1 is there already (--renew makes key and"),
        (("--renew", "chassis", "hv2"), "/chassis/hv2 is not there, so there is nothing to renew"),
        (("init",), ": its authorities are there already (--renew makes new ones)"),
        ((), "missing command name (use --help for help)"),
        (("sign", "hv1"), 'unknown command "sign"'),
        (("chassis",), "'chassis' needs the NAME of a chassis"),
        (("chassis", "a", "b"), "'chassis' takes fewer arguments"),
        (("show", "hv1"), "'show' takes fewer arguments"),
        (("chassis", "../hv1"), "../hv1: a name has letters, digits"),
        (("chassis", ".hv1.done"), ".hv1.done: a name has letters, digits"),
        (("chassis", "a" * 65), f"{'a' * 65}: longer than 64 characters"),
        (("chassis", "hv 1"), "hv 1: a name has letters, digits"),
        (("--days=0", "chassis", "hv2"), "--days=0: not a number of days"),
        (("--days=x", "chassis", "hv2"), "--days=x: not a number of days"),
        (("chassis", "hv2", "--days"), 'option "--days" needs a value'),
        (("--force", "chassis", "hv2"), 'unknown option "--force"'),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(
    pki: Pki, words: tuple[str, ...], sentence: str
) -> None:
    before = {each: each.read_bytes() for each in pki.path.rglob("*.pem")}
    assert sentence in pki.refused(*words)
    assert {each: each.read_bytes() for each in pki.path.rglob("*.pem")} == before


def test_a_directory_of_others_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes").touch()
    tmp_path.chmod(0o755)
    pki = Pki(tmp_path)
    assert pki.refused("init") == f"{tmp_path}: has other files in it"
    assert "not one of svc-pki's" in pki.refused("show")
    assert "no such directory" in Pki(tmp_path / "none").refused("show")
    assert [each.name for each in tmp_path.iterdir()] == ["notes"]
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_a_name_is_the_certificate_s(pki: Pki) -> None:
    name = "0f5a3f0e-86a4-4a70-b3a5-1d1c5f1f0c55"
    pki.good("chassis", name)
    command = ["openssl", "x509", "-noout", "-subject", "-nameopt", "RFC2253", "-in"]
    path = pki.path / "chassis" / name / "cert.pem"
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == f"subject=CN={name}\n"


def test_no_client_has_the_name_of_a_chassis(pki: Pki) -> None:
    """The southbound knows both by name alone."""
    pki.good("chassis", "hv7")
    assert "hv7: there is a chassis of that name" in pki.refused("client", "hv7")
    pki.good("client", "bob")
    assert "bob: there is a client of that name" in pki.refused("chassis", "bob")
    pki.good("--renew", "chassis", "hv7")


def test_what_ends_is_shown(pki: Pki) -> None:
    assert set(pki.list_remarks().values()) == {""}
    pki.good("--days=5", "chassis", "hv2")
    assert pki.list_remarks()["chassis hv2"] == "ends within 30 days: --renew it"
    pki.good("--renew", "chassis", "hv2")
    assert pki.list_remarks()["chassis hv2"] == ""
    (pki.path / "chassis" / "hv2" / "privkey.pem").write_text("")
    assert pki.list_remarks()["chassis hv2"] == "its key does not fit, or is not there: --renew it"


@pytest.mark.parametrize("days", [0.5, -1])
def test_an_authority_that_ends_signs_nothing(pki: Pki, tmp_path: Path, days: float) -> None:
    ended = Authority(tmp_path, "ended", days=days + 2, begins=-2)
    shutil.copy(ended.path, pki.path / "chassis-authority" / "cert.pem")
    refusal = pki.refused("chassis", "hv9")
    assert refusal == (
        "the authority of chassis ends within a day, or has ended:"
        " 'svc-pki --renew init' makes another one"
    )
    assert not (pki.path / "chassis" / "hv9").exists()
    pki.good("server", "other")
    pki.good("--renew", "init")
    pki.good("chassis", "hv9")


def test_authorities_are_renewed_in_steps_of_which_none_ends_trust(pki: Pki) -> None:
    nodes = ("server", "central"), ("chassis", "hv1"), ("client", "ops")
    trusts = {
        "server": "client/ops/cacert.pem",
        "chassis": "server/central/sb-cacert.pem",
        "client": "server/central/nb-cacert.pem",
    }
    pki.good("--renew", "init")
    assert "svc-pki retire" in pki.refused("--renew", "init")
    assert pki.list_remarks()["chassis hv1"] == "signed by a former authority: --renew it"
    for each in nodes:
        assert pki.fits(*each, trusts[each[0]])
    for number, each in enumerate(nodes):
        late = ", ".join(" ".join(other) for other in nodes[number:])
        assert pki.refused("retire").startswith(f"signed by a former authority: {late} (")
        pki.good("--renew", *each)
        assert pki.fits(*each, trusts[each[0]])
    pki.good("retire")
    assert set(pki.list_remarks().values()) == {""}
    for each in nodes:
        assert pki.fits(*each, trusts[each[0]])
        trust = (pki.path / trusts[each[0]]).read_text()
        assert trust.count("BEGIN CERTIFICATE") == (2 if each[0] == "chassis" else 1)


@pytest.mark.parametrize(
    ("program", "fatal"),
    [("openssl", 1), ("openssl", 2), ("mv", 1), ("mv", 2), ("mv", 3), ("mv", 4), ("mv", 5)],
)
@pytest.mark.parametrize("words", [("chassis", "hv2"), ("--renew", "chassis", "hv1")])
def test_one_that_is_killed_leaves_all_or_nothing(
    pki: Pki, tmp_path: Path, words: tuple[str, ...], program: str, fatal: int
) -> None:
    killer = tmp_path / "bin" / program
    killer.parent.mkdir()
    killer.write_text(_KILLER)
    killer.chmod(0o755)
    before = pki.environment
    count = str(tmp_path / "count")
    path = f"{killer.parent}:{before['PATH']}"
    pki.environment = {**before, "PATH": path, "COUNT": count, "FATAL": str(fatal)}
    pki.run(*words)
    pki.environment = before
    remarks = pki.list_remarks()
    assert set(remarks.values()) == {""}
    for name in (each.split()[1] for each in remarks if each.startswith("chassis")):
        assert pki.fits("chassis", name, "server/central/sb-cacert.pem")
        files = [each.name for each in (pki.path / "chassis" / name).iterdir()]
        assert sorted(files) == ["cacert.pem", "cert.pem", "privkey.pem"]
    assert not list(pki.path.rglob(".*.fresh")) + list(pki.path.rglob(".*.done"))
    if "chassis hv2" not in remarks:
        pki.good("chassis", "hv2")


@pytest.mark.parametrize("fatal", [2, 3, 4])
def test_authorities_of_one_that_was_killed_are_completed(tmp_path: Path, fatal: int) -> None:
    killer = tmp_path / "bin" / "openssl"
    killer.parent.mkdir()
    killer.write_text(_KILLER)
    killer.chmod(0o755)
    pki = Pki(tmp_path / "pki")
    before = pki.environment
    more = {"PATH": f"{killer.parent}:{before['PATH']}", "COUNT": f"{tmp_path}/count"}
    pki.environment = {**before, **more, "FATAL": str(fatal)}
    pki.run("init")
    pki.environment = before
    pki.run("init")
    pki.good("chassis", "hv1")
    assert pki.fits("chassis", "hv1", "chassis-authority/cert.pem")


# -- who is whom -------------------------------------------------------------


class Server:
    """An ovsdb-server of a southbound, with the key of anybody."""

    def __init__(self, pki: Pki, directory: Path, kind: str, name: str, trust: str) -> None:
        self.port = find_free_port()
        self.pki = pki
        database = directory / f"{kind}.db"
        create = ["ovsdb-tool", "create", str(database), find_schema(schema.SOUTHBOUND)]
        subprocess.run(create, check=True)
        self._process = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL", "--", "ovsdb-server", "-vconsole:off"),
                *(f"--remote=pssl:{self.port}:127.0.0.1", f"--unixctl={directory}/{kind}.ctl"),
                *list_keys(pki.path / kind / name),
                *("-C", str(pki.path / trust), str(database)),
            ]
        )
        wait_until(lambda: is_listening(self.port), "the server")

    def answers(self, kind: str, name: str) -> bool:
        """Returns whether a client with somebody's key and the server take each other."""
        place = self.pki.path / kind / name
        ask = ["ovsdb-client", "-vconsole:off", "--timeout=3", *list_keys(place)]
        ask += ["-C", str(self.pki.path / "central-authority" / "cert.pem")]
        ask += ["list-dbs", f"ssl:127.0.0.1:{self.port}"]
        return subprocess.run(ask, capture_output=True, check=False).returncode == 0

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


def list_keys(place: Path) -> tuple[str, ...]:
    return "-p", str(place / "privkey.pem"), "-c", str(place / "cert.pem")


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    """Servers that end with the test."""
    made: list[Server] = []
    yield made
    for each in made:
        each.stop()


def test_no_key_of_a_chassis_or_a_client_makes_a_server(
    pki: Pki, tmp_path: Path, servers: list[Server]
) -> None:
    for kind, name in (("server", "central"), ("chassis", "hv1"), ("client", "ops")):
        servers.append(Server(pki, tmp_path, kind, name, "server/central/sb-cacert.pem"))
    answers = [each.answers("chassis", "hv1") for each in servers]
    assert answers == [True, False, False]


def test_no_key_of_a_chassis_opens_a_northbound(
    pki: Pki, tmp_path: Path, servers: list[Server]
) -> None:
    servers.append(Server(pki, tmp_path, "server", "central", "server/central/nb-cacert.pem"))
    assert servers[0].answers("client", "ops")
    assert servers[0].answers("server", "central")
    assert not servers[0].answers("chassis", "hv1")
