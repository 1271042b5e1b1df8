"""container-add, container-set, container-del; what a service type says of its keys."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .ovsdb import Databases
from .svcctl import Svcctl

SECRET = "correct-horse-battery"

METADATA = "Metadata-Version: 2.1\nName: echo-type\nVersion: 1\n"

# A type of somebody else, as its wheel would have installed it.
TYPE = '''
"""A service type whose compile half knows its keys and nothing else."""

from {root}.services.api.commands import Command, Commands, StatusLines, TableWords
from {root}.services.api.compile import ConfigurationKey


def find_port_problem(text):
    return None if text.isdigit() else f"{{int(text)}} of no kind" if text == "x" else "no port"


class Half:
    units = None

    def describe(self):
        return [
            ConfigurationKey("greeting", "what it says first", required=True),
            ConfigurationKey("port", "where it listens", find_problem=find_port_problem),
            ConfigurationKey("router", "where it is", is_router=True),
            ConfigurationKey("password", "who may ask", required=True, secret=True),
        ]


class EchoCommands(Commands):
    package = "echo_type"
    sections = (
        ("Echo commands", (
            Command("echo-say", "WORD", "code.say", ""),
            Command("echo-fail", "WORD", "code.fail", ""),
            Command("list", "", "code.fail", ""),
        )),
    )

    def show(self, run, name):
        if {fails}:
            raise KeyError("{secret}")
        return ["echo"] if name in (None, "echo") else []

    def tell_status(self, run):
        if {fails}:
            raise KeyError("{secret}")
        return StatusLines(["echoes: 1 of 1 heard"], ["echo is silent"], ["echo: hoarse"])


class Type:
    api = {api}

    def compile_half(self):
        return Half()

    def commands(self):
        return EchoCommands()


TYPE = Type()
'''

CODE = '''
def say(run):
    """echo-say WORD: says it."""
    run.lines.append(run.arguments[0])


def fail(run):
    """echo-fail WORD: has a mistake."""
    raise KeyError(run.arguments[0])
'''


def install(directory: Path, api: int = 1, fails: bool = False) -> None:
    """Makes the type as a package that is installed in 'directory'."""
    package, metadata = directory / "echo_type", directory / "echo_type-1.dist-info"
    package.mkdir(exist_ok=True)
    metadata.mkdir(exist_ok=True)
    root = __package__.removesuffix(".tests")
    text = TYPE.format(root=root, api=api, fails=fails, secret=SECRET)
    (package / "__init__.py").write_text(text)
    (package / "code.py").write_text(CODE)
    (metadata / "METADATA").write_text(METADATA)
    (metadata / "entry_points.txt").write_text("[ovnsvc.service_types]\necho = echo_type:TYPE\n")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages, first on the path."""
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in ("echo_type", "echo_type.code"):
        sys.modules.pop(name, None)


@pytest.fixture
def echo(path: Path, svcctl: Svcctl, databases: Databases) -> Svcctl:
    """svcctl where the type echo is installed; a group, and a file with a secret."""
    install(path)
    (path / "secret").write_text(f"{SECRET}\nsecond line\n")
    databases.nb.insert("Container_Group", name="g")
    return svcctl


def add(echo: Svcctl, path: Path) -> None:
    words = ("container-add", "e1", "echo", "greeting=hello = world", "--group=g")
    echo.good(*words, f"--secret=password={path}/secret")


def test_a_container_of_ones_own(echo: Svcctl, path: Path, databases: Databases) -> None:
    add(echo, path)
    [row] = databases.nb.rows("Service_Container")
    [group] = databases.nb.rows("Container_Group")
    assert (row["name"], row["service_type"], row["group"]) == ("e1", "echo", group["_uuid"])
    assert row["configuration"] == ["map", [["greeting", "hello = world"]]]
    assert row["secret"] == ["map", [["password", f"{SECRET}\nsecond line"]]]
    shown = echo.good("container-show", "e1")
    assert "    configuration greeting: hello = world\n    secrets: password\n" in shown
    (path / "secret").write_text("other")
    words = ("container-set", "e1", "greeting=hi", "port=7", "--group=")
    echo.good(*words, f"--secret=password={path}/secret")
    [row] = databases.nb.rows("Service_Container")
    assert row["configuration"] == ["map", [["greeting", "hi"], ["port", "7"]]]
    assert (row["secret"], row["group"]) == (["map", [["password", "other"]]], ["set", []])
    echo.good("container-set", "e1", "port=")
    [row] = databases.nb.rows("Service_Container")
    assert row["configuration"] == ["map", [["greeting", "hi"]]]
    echo.good("--no-check", "container-pin", "e1", "hv1", "--", "container-del", "e1")
    assert databases.nb.rows("Service_Container") == databases.nb.rows("Container_Wish") == []
    echo.good("--if-exists", "container-del", "e1")


def test_a_secret_from_standard_input(echo: Svcctl, databases: Databases) -> None:
    command = ["--no-check", "container-add", "e1", "echo", "--secret=password=-"]
    process = echo.start(*command, stdin=subprocess.PIPE)
    assert process.communicate(f"{SECRET}\n") == ("", "")
    [row] = databases.nb.rows("Service_Container")
    assert row["secret"] == ["map", [["password", SECRET]]]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (
            "container-add e1 echo greting=x",
            "e1: key 'greting' is not known to service type echo; did you mean 'greeting'?",
        ),
        (
            "container-add e1 echo zzz=x",
            "e1: key 'zzz' is not known to service type echo; it takes greeting, password, port,",
        ),
        (
            "container-add e1 echo port=1 --secret=password=FILE",
            "e1: key 'greeting' is required by service type echo (what it says first)",
        ),
        (
            "container-add e1 echo greeting=x",
            "e1: key 'password' is required by service type echo (who may ask)",
        ),
        (
            "container-add e1 echo greeting=x password=y",
            "e1: key 'password' is a secret; give it with --secret=password=FILE",
        ),
        (
            "container-add e1 echo --secret=greeting=FILE",
            "e1: key 'greeting' is no secret; give it as greeting=VALUE",
        ),
        (
            "container-add e1 ipsec",
            "service type ipsec is not served by a container that is added; its containers come",
        ),
        (
            "container-add e1 echo greeting=x port=y --secret=password=FILE",
            "e1: key 'port': no port",
        ),
        (
            "container-add e1 echo greeting=x port=x --secret=password=FILE",
            "e1: key 'port': its service type cannot check it (ValueError",
        ),
        (
            "container-add e1 echo greeting=x router=nosuch --secret=password=FILE",
            "e1: key 'router': router nosuch not found in OVN_Northbound",
        ),
        ("container-set e0 port=y", "e0: key 'port': no port"),
        ("container-add e1 echo greeting", "e1: greeting is not KEY=VALUE"),
        ("container-add e1 echo =x", "e1: =x is not KEY=VALUE"),
        ("container-add e1 echo port=1 port=2", "e1: key port is given twice"),
        ("container-add e1 echo --secret=password", "e1: --secret is KEY=FILE, or KEY=- for"),
        ("container-add e1 echo --secret=password=", "e1: --secret is KEY=FILE, or KEY=- for"),
        (
            "container-add e1 echo --secret=password=/nono",
            "--secret=password=/nono: No such file or directory",
        ),
        (
            "container-add e1 nono",
            "e1: service type nono is not installed here, so its keys cannot be checked"
            " (--no-check omits that)",
        ),
        ("container-add /e echo", "/e cannot be the name of a container: up to 15"),
        (
            "container-add abcdefghijklmnop echo",
            "abcdefghijklmnop cannot be the name of a container",
        ),
        ("container-add e0 echo greeting=x", "e0: a container with this name already exists"),
        ("container-add e1 echo --group=x", "e1: key 'greeting' is required"),
        ("--no-check container-add e1 echo --group=x", "x: group not found"),
        ("container-set e1 port=1", "e1: container not found"),
        ("container-set e0", "e0: nothing to change is given"),
        ("container-set e0 greeting=", "e0: key 'greeting' is required by service type echo"),
        ("container-set e0 prot=1", "e0: key 'prot' is not known to service type echo; did you"),
        ("container-set n1 port=1", "n1: svc-northd has made it, and it goes with what it serves"),
        ("container-del n1", "n1: svc-northd has made it, and it goes with what it serves"),
        ("container-del e1", "e1: container not found"),
    ],
)
def test_bad_input(echo: Svcctl, path: Path, databases: Databases, words: str, reason: str) -> None:
    ours = ["map", [["ovnsvc", "svc-northd"]]]
    databases.nb.insert("Service_Container", name="n1", service_type="x", external_ids=ours)
    pairs = {"configuration": ["map", [["greeting", "x"]]], "secret": ["map", [["password", "y"]]]}
    databases.nb.insert("Service_Container", name="e0", service_type="echo", **pairs)
    given = [word.replace("FILE", f"{path}/secret") for word in words.split()]
    assert echo.bad(*given).startswith(reason)


def test_a_type_that_is_not_here(svcctl: Svcctl, databases: Databases) -> None:
    svcctl.good("--no-check", "container-add", "e1", "nono", "any=thing")
    [row] = databases.nb.rows("Service_Container")
    assert row["configuration"] == ["map", [["any", "thing"]]]
    assert "is not installed here" in svcctl.bad("container-set", "e1", "any=other")
    svcctl.good("--no-check", "container-set", "e1", "any=other")
    svcctl.good("container-del", "e1")


def test_two_that_change_other_keys(echo: Svcctl, path: Path, databases: Databases) -> None:
    add(echo, path)
    running = [echo.start("--no-check", "container-set", "e1", f"k{n}={n}") for n in range(4)]
    assert [process.communicate() for process in running] == [("", "")] * 4
    [row] = databases.nb.rows("Service_Container")
    assert [key for key, _ in row["configuration"][1]] == ["greeting", "k0", "k1", "k2", "k3"]


# -- commands of a type that is not ours ------------------------------------


def test_commands_of_somebody_elses_type(echo: Svcctl) -> None:
    echo.good("init")
    assert echo.good("echo-say", "hello", "--", "echo-say", "x") == "hello\nx\n"
    assert "\nEcho commands:\n  echo-say WORD\n" in echo.good("--help")
    assert echo.good("show") == "echo\n"
    assert echo.good("show", "echo") == "echo\n"
    status = echo("status").stdout
    for line in ("echoes: 1 of 1 heard", "ERROR: echo: hoarse"):
        assert f"{line}\n" in status
    assert "WAITING: svc-northd has not answered: echo is silent\n" in status
    # A name of the core stays the core's.
    assert echo.good("--bare", "--columns=name", "list", "Container_Group") == "g\n"


def test_a_mistake_of_a_type_ends_its_own_command_only(
    echo: Svcctl, path: Path, databases: Databases
) -> None:
    said = echo.bad("echo-fail", SECRET)
    assert said.startswith("service type echo: echo-fail: KeyError in ")
    assert SECRET not in said
    sys.modules.pop("echo_type")
    install(path, fails=True)
    databases.nb.insert("Service_Container", name="c", service_type="x")
    for words, line in (("show", "container c (x)\n"), ("status", "containers: 0 of 1 running\n")):
        result = echo(words)
        assert result.status == (2 if words == "status" else 0)
        assert line in result.stdout
        assert result.stderr.startswith("svcctl: warning: service type echo: KeyError in ")
        assert SECRET not in result.stderr


@pytest.mark.parametrize(
    ("method", "words", "said"),
    [
        ("commands", ["status"], "service type echo has no usable commands: ZeroDivisionError"),
        ("commands", ["echo-say", "x"], "service type echo has no usable commands"),
        ("describe", ["container-add", "e1", "echo"], "does not say which keys it takes"),
        ("compile_half", ["container-set", "e0", "port=1"], "does not say which keys it takes"),
        ("show", ["show"], "service type echo: ZeroDivisionError in "),
        ("tell_status", ["status"], "service type echo: ZeroDivisionError in "),
    ],
)
def test_a_type_that_raises_in_each_method(
    echo: Svcctl, path: Path, databases: Databases, method: str, words: list[str], said: str
) -> None:
    """It is told in one line, and what is not about the type goes on."""
    file = path / "echo_type" / "__init__.py"
    text = file.read_text()
    at = text.index(f"def {method}(")
    line = text.index("\n", at)
    file.write_text(f"{text[:line]}\n        1 / 0{text[line:]}")
    databases.nb.insert("Service_Container", name="e0", service_type="echo")
    result = echo(*words)
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.status == {"show": 0, "status": 2}.get(words[0], 1)
    assert "e0" in echo.good("container-list")
    echo.good("group-add", "h", "--", "vpn-list")


def test_a_type_of_another_api(echo: Svcctl, path: Path) -> None:
    install(path, api=99)
    why = "service type echo was written for version 99 of services/api; this is version 1"
    assert echo.bad("echo-say", "x") == (f"unknown command 'echo-say'; use --help for help ({why})")
    result = echo("status")
    assert (result.status, result.stderr) == (2, f"svcctl: warning: {why}\n")
    said = echo.bad("container-add", "e1", "echo")
    assert said == f"e1: {why}, so its keys cannot be checked (--no-check omits that)"


def test_what_needs_no_type_looks_for_none(databases: Databases) -> None:
    svcctl = Svcctl(databases)
    for words in (
        ["--version"],
        ["list", "Chassis"],
        ["container-list"],
        ["group-list"],
        ["set", "Container_Group", "g", "policy=least"],
        ["--if-exists", "container-del", "x"],
    ):
        databases.nb.delete("Container_Group")
        databases.nb.insert("Container_Group", name="g")
        process = subprocess.run(
            [sys.executable, "-X", "importtime", *svcctl.command(*words)[1:]],
            cwd=Path(__file__).resolve().parents[2],
            env=databases.environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        assert "services.api.entry_points" not in process.stderr, words
        assert "services.ipsec" not in process.stderr, words
