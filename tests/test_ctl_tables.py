"""Tables that people read: they fit a terminal, and moments have an age."""

from __future__ import annotations

import csv
import io
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..ctl.db.table import WIDTH, OutputTable, Style, format_table
from ..lib.moment import format_age, format_past
from .ovsdb import Databases
from .svcctl import WHEN, WHEN_MS, Svcctl, add_container, add_router

TABLE = Style("table", "string", headings=True, pretty=False)
BARE = Style("table", "string", headings=False, pretty=False)
MINUTE_MS = 60_000


@pytest.mark.parametrize(
    ("span_ms", "text"),
    [
        (-5, "0 s"),
        (999, "0 s"),
        (119_999, "119 s"),
        (120_000, "2 min"),
        (2 * 3600_000 - 1, "119 min"),
        (2 * 3600_000, "2 h"),
        (47 * 3600_000, "47 h"),
        (48 * 3600_000, "2 d"),
        (1000 * 86_400_000, "1000 d"),
    ],
)
def test_an_age_has_one_unit(span_ms: int, text: str) -> None:
    assert format_age(span_ms) == text


def test_a_moment_that_is_yet_to_come_has_no_age() -> None:
    assert format_past(WHEN_MS, WHEN_MS - 1) == WHEN
    assert format_past(WHEN_MS, WHEN_MS + 3 * MINUTE_MS) == f"{WHEN} (3 min)"


def make(*rows: tuple[str, ...], below: list[str] | None) -> OutputTable:
    table = OutputTable(["name", "members", "reason"], "table", below)
    for name, members, reason in rows:
        table.add(name, tuple(members.split(",")), reason)
    return table


def test_a_table_that_fits_is_as_it_was() -> None:
    rows = [("a", "1,2", "x" * 100), ("b", "", "")]
    assert format_table(make(*rows, below=["reason"]), TABLE) == (
        f"name members reason\n---- ------- {'-' * 100}\na    1, 2    {'x' * 100}\nb\n"
    )


def test_a_reason_stands_below_its_row_where_the_table_would_be_wider() -> None:
    reason = " ".join(["because"] * 30)
    table = make(("a", "1,2", reason), ("b", "3", ""), ("c", "4", "short"), below=["reason"])
    lines = format_table(table, TABLE).splitlines()
    assert lines[:4] == [
        "name members",
        "---- -------",
        "a    1, 2",
        "    reason: because because because because because because because because because "
        "because because because because",
    ]
    assert lines[4].startswith("        because because ")
    assert lines[-3:] == ["b    3", "c    4", "    reason: short"]
    assert format_table(table, BARE).startswith("a 1, 2\n    reason: because ")
    assert reason in format_table(make(("a", "1", reason), below=None), TABLE), "--wide"


def test_a_long_cell_goes_on_in_the_next_line() -> None:
    members = ",".join(f"10.{number}.0.0/16" for number in range(20))
    text = format_table(make(("a", members, "why"), ("b", "x", ""), below=["reason"]), TABLE)
    lines = text.splitlines()
    assert lines[2].startswith("a    10.0.0.0/16, 10.1.0.0/16, ")
    assert lines[3].startswith("     10.")
    assert lines[-2:] == ["    reason: why", "b    x"]
    assert sum(line.count("/16") for line in lines) == 20


@given(
    st.lists(
        st.tuples(*[st.text(st.characters(categories=("L", "N", "P", "Z")), max_size=200)] * 3)
    ),
    st.booleans(),
)
def test_whatever_is_in_it_it_fits_and_loses_nothing(
    rows: list[tuple[str, str, str]], with_headings: bool
) -> None:
    table = make(*rows, below=["reason"])
    text = format_table(table, TABLE if with_headings else BARE)
    assert all(len(line) <= WIDTH for line in text.split("\n"))
    for row in rows:
        for character in set("".join(row)):
            assert character.isspace() or character == "," or character in text


# -- the lists ---------------------------------------------------------------


@pytest.fixture
def cloud(databases: Databases, svcctl: Svcctl) -> Svcctl:
    """A service with a long status, and a container on one of three chassis."""
    add_container(databases)
    add_router(databases, "tenant-router")
    svcctl.good("vpn-add", "mercury", "tenant-router", "1.0.0.100", "192.168.1.0/24")
    words = ("conn-add", "mercury", "to-venus", "1.0.0.3", "10.2.0.0/16", "--psk=x")
    assert svcctl(*words).status == 0
    status = {"status": "down", "since": int(time.time() * 1000) - 3 * MINUTE_MS - 1000}
    for table in ("VPN_Service", "IPsec_Connection"):
        message = "0 of 1 tunnels up; to-venus: no answer from 1.0.0.3 since 16:07:14Z " * 2
        databases.nb.update(table, [], status_message=message, **status)
    [service] = databases.nb.rows("VPN_Service")
    databases.nb.update(
        "Service_Container", [], since=WHEN_MS, serves=service["_uuid"][1], status_message="m" * 150
    )
    databases.sb.update("Chassis_Weight", [], problem="unfit (ovn-controller does not answer) " * 3)
    return svcctl


@pytest.mark.parametrize("words", ["vpn-list", "conn-list", "container-list", "chassis-list"])
def test_lists_fit_and_are_wide_for_who_asks(cloud: Svcctl, words: str) -> None:
    lines = cloud.good(words).splitlines()
    assert max(map(len, lines)) <= WIDTH
    age = "(3 min)" if words in ("vpn-list", "conn-list") else " d)"
    assert age in lines[2]
    below = "    problem: " if words == "chassis-list" else "    reason: "
    assert lines[3].startswith(below)
    rows = sum(1 for line in lines[2:] if not line.startswith("    "))
    for wide in (cloud.good(words, "--wide"), cloud.good("--wide", words)):
        assert len(wide.splitlines()) == rows + 2
        assert max(map(len, wide.splitlines())) > WIDTH
        assert age in wide


@pytest.mark.parametrize("words", ["vpn-list", "conn-list", "container-list", "chassis-list"])
def test_what_programs_read_has_one_row_per_line_and_plain_moments(
    cloud: Svcctl, words: str
) -> None:
    text = cloud.good("-f", "csv", words)
    heading, *rows = list(csv.reader(io.StringIO(text)))
    assert len(text.splitlines()) == len(rows) + 1
    place = heading.index("since")
    assert all(len(row) == len(heading) and row[place].endswith("Z") for row in rows)
    json = cloud.good("-f", "json", words)
    assert all(f'"{row[place]}"' in json for row in rows)
