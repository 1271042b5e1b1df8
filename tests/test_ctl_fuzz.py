"""Whatever svcctl is given, it says one line and leaves the database as it was, or does it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ..ctl.command_table import CommandTable
from ..ctl.db.notation import parse_datum
from ..ctl.db.schema import ColumnSchema
from ..ctl.db.values import format_datum, from_json, to_json
from ..ctl.options import GLOBAL
from ..lib.errors import UsageError
from .ovsdb import Databases
from .svcctl import Svcctl, add_router

COMMANDS = CommandTable().list_all()
TABLES = ("VPN_Service", "IPsec_Connection", "Container_Group", "SVC_Global", "Chassis", "SSL")
NAMES = ("mercury", "c", "g", "hv1", ".", "@x", "nono", "", "1.0.0.1", "10.0.0.0/8", "-1", "x,y")
COLUMNS = ("name", "psk", "mtu", "options", "options:a", "peer_subnets", "group", "_uuid", "x")

# What would read a file, write one, wait for ever or print what is not ours to judge.
KEPT_OUT = {"wait-until"}
SKIPPED = ("db=", "sb-db=", "ovn-db=", "wait=", "log-file[=", "verbose[=", "help", "version")

names = st.sampled_from(NAMES) | st.text(max_size=8)
assignments = st.builds(
    lambda column, operator, value: f"{column}{operator}{value}",
    st.sampled_from(COLUMNS),
    st.sampled_from(("=", "!=", "{in}", ":", "")),
    names,
)
words = st.sampled_from(TABLES) | names | assignments
option_names = [name for name, *_ in GLOBAL if name not in SKIPPED]
option_names += [option for command in COMMANDS for option in command.options]
options = st.builds(
    lambda name, value: f"--{name.rstrip('[=')}" + (f"={value}" if value else ""),
    st.sampled_from(sorted({name for name in option_names if not name.startswith("psk-file")})),
    st.none() | names,
)
commands = st.builds(
    lambda before, name, after: [*before, name, *after],
    st.lists(options, max_size=2),
    st.sampled_from(sorted({command.name for command in COMMANDS} - KEPT_OUT)) | names,
    st.lists(words | options, max_size=5),
)


def goes_on(line: list[str]) -> bool:
    """Returns whether a command line may be that of a daemon, which outlives the test."""
    return any(word.startswith("--d") and "--detach".startswith(word) for word in line)


lines = (
    st.lists(commands, min_size=1, max_size=3)
    .map(lambda many: [word for one in many for word in [*one, "--"]][:-1])
    .filter(lambda line: not goes_on(line))
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Svcctl]:
    """svcctl on databases that all examples share."""
    directory: Path = tmp_path_factory.mktemp("fuzz")
    databases = Databases(directory)
    add_router(databases, "r")
    databases.sb.insert("Chassis", name="hv1")
    svcctl = Svcctl(databases)
    svcctl.good("group-add", "g", "--", "vpn-add", "mercury", "r", "1.0.0.1", "10.0.0.0/8")
    svcctl("conn-add", "mercury", "c", "1.0.0.3", "11.0.0.0/8", "--psk=secret")
    yield svcctl
    databases.stop()


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lines)
def test_any_command_line(shared: Svcctl, line: list[str]) -> None:
    before = shared.databases.nb.dump()
    result = shared("--timeout=20", "--dry-run", *line)
    # Without a svc-northd 'status' says that all is down.
    assert result.status in (0, 1, 2)
    assert result.status != 2 or result.stdout.startswith("down ")
    if result.status == 1:
        assert result.stdout == ""
        complaints = result.stderr.splitlines()
        assert len(complaints) == 1, result
        assert complaints[0].startswith("svcctl: ")
    assert shared.databases.nb.dump() == before


columns = st.sampled_from(
    [
        ColumnSchema("T", "c", json)
        for json in (
            "string",
            "integer",
            "boolean",
            "uuid",
            {"key": "string", "min": 0, "max": "unlimited"},
            {"key": "integer", "min": 0, "max": 1},
            {"key": "string", "value": "string", "min": 0, "max": "unlimited"},
            {"key": "string", "value": "integer", "min": 0, "max": 2},
        )
    ]
)


def no_names(text: str, _base: object) -> str:
    raise UsageError(f"{text}: no @names here")


@given(st.text(alphabet=st.sampled_from('ab1 ,=[]{}"\\@-:\n\0é') | st.characters()), columns)
def test_a_value_that_can_be_read_is_read_again_from_what_is_printed(
    text: str, column: ColumnSchema
) -> None:
    try:
        datum = parse_datum(text, column, no_names)
    except UsageError:
        return
    assert from_json(to_json(datum, column), column) == datum
    assert parse_datum(format_datum(datum, column), column, no_names) == datum


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"])), unique=True))
def test_any_strings_survive_being_printed(strings: list[str]) -> None:
    column = ColumnSchema("T", "c", {"key": "string", "min": 0, "max": "unlimited"})
    datum = tuple(sorted({each.replace("\0", "") for each in strings}))
    assert parse_datum(format_datum(datum, column), column, no_names) == datum
