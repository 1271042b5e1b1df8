"""svcctl events: what happened, by whatever name an operator has in his hand."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from .ovsdb import Databases
from .svcctl import WHEN, WHEN_MS, Svcctl, add_router

SERVICE, CONNECTION = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def add(databases: Databases, number: int, table: str, name: str, state: str, **more: Any) -> None:
    """Adds an event, a second after the one before."""
    moment = WHEN_MS + number * 1000
    row = {"number": number, "name": name, "state": state, "since": moment, "time": moment}
    each = {"op": "insert", "table": "Event", "row": {**row, "table": table, "count": 1, **more}}
    databases.nb.transact(each)


@pytest.fixture
def told(svcctl: Svcctl, databases: Databases) -> Svcctl:
    """Two VPNs with what happened to them; one is gone."""
    svcctl.good("init")
    databases.nb.insert("Service_Container", name="vpn-1", service_type="ipsec", serves=SERVICE)
    add(databases, 3, "IPsec_Connection", "mercury/to-venus", "up", row=CONNECTION)
    add(databases, 0, "Service_Container", "vpn-1", "placed", chassis="hv1", message="its first")
    moved = {"chassis": "hv2", "from_chassis": "hv1", "message": "chassis hv1 is dead"}
    add(databases, 7, "Service_Container", "vpn-1", "placed", **moved)
    add(databases, 2, "VPN_Service", "quicksilver", "error", row=SERVICE)
    add(databases, 4, "VPN_Service", "mercury", "up", row=SERVICE, message="1 of 1 tunnels up")
    add(databases, 5, "IPsec_Connection", "pluto/to-venus", "removed")
    add(databases, 6, "Chassis", "hv1", "dead", count=3, since=WHEN_MS)
    return svcctl


def find_names(text: str) -> list[str]:
    """Returns the names and states of the lines."""
    return [" ".join(line.split()[1:3]).rstrip(":") for line in text.splitlines()]


def test_all_of_them(told: Svcctl) -> None:
    lines = told.good("events").splitlines()
    assert [line.split()[1] for line in lines] == [
        *("vpn-1:", "quicksilver:", "mercury/to-venus:", "mercury:", "pluto/to-venus:", "hv1:"),
        "vpn-1:",
    ]
    assert lines[0] == f"{WHEN} vpn-1: placed on hv1: its first"
    assert lines[-1].endswith("Z vpn-1: placed on hv2, from hv1: chassis hv1 is dead")
    assert lines[-2].endswith(f"Z hv1: dead (3 times since {WHEN})")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        (
            "mercury",
            "vpn-1: placed, quicksilver: error, mercury/to-venus: up, mercury: up, vpn-1: placed",
        ),
        ("mercury/to-venus", "mercury/to-venus: up"),
        ("to-venus", "mercury/to-venus: up, pluto/to-venus: removed"),
        ("pluto", "pluto/to-venus: removed"),
        ("vpn-1", "vpn-1: placed, vpn-1: placed"),
        ("hv2", "vpn-1: placed"),
        ("hv1", "vpn-1: placed, hv1: dead, vpn-1: placed"),
    ],
)
def test_by_a_name(told: Svcctl, name: str, found: str) -> None:
    assert find_names(told.good("events", name)) == found.split(", ")


def test_a_name_that_nothing_has(told: Svcctl, databases: Databases) -> None:
    nothing = "nobody: no event of it is kept, and nothing has this name"
    assert told.bad("events", "hv2", "nobody") == nothing
    databases.sb.insert("Chassis", name="hv7", hostname="nobody")
    told.good("group-add", "g")
    for name in ("nobody", "g"):
        result = told("events", "hv2", name)
        assert result.stderr == f"svcctl: warning: no event of {name} is kept\n"
        assert result.status == 0
        assert find_names(result.stdout) == ["vpn-1: placed"]


def test_by_whatever_means_it(told: Svcctl, databases: Databases) -> None:
    add_router(databases, "r1")
    told.good("vpn-add", "mercury", "r1", "1.0.0.100", "192.168.1.0/24")
    words = ("conn-add", "mercury", "to-venus", "1.0.0.3", "10.1.0.0/24", "--psk=x")
    assert told(*words).status == 0
    [service] = databases.nb.rows("VPN_Service")
    whole = told.good("events", "mercury")
    for word in ("1.0.0.100", "r1", service["_uuid"][1]):
        assert told.good("events", word) == whole, word
    assert find_names(told.good("events", "1.0.0.3")) == ["mercury/to-venus: up"]
    assert told.good("events", SERVICE) != ""
    assert find_names(told.good("events", CONNECTION)) == ["mercury/to-venus: up"]


def test_since_a_time_and_the_last(told: Svcctl, databases: Databases) -> None:
    assert find_names(told.good("--last=2", "events")) == ["hv1: dead", "vpn-1: placed"]
    assert find_names(told.good("--last=1", "events", "to-venus")) == ["pluto/to-venus: removed"]
    assert told.good("--since=10m", "events") == ""
    now_ms = int(time.time() * 1000)
    add(databases, 9, "Chassis", "hv3", "alive", time=now_ms)
    assert find_names(told.good("--since=10m", "events")) == ["hv3: alive"]
    assert len(told.good("--since=2023-11-14T22:13:26Z", "events").splitlines()) == 3
    assert len(told.good("--since=2023-11-14", "events").splitlines()) == 8


@pytest.mark.parametrize("option", ["--since=yesterday", "--since=3", "--last=0", "--last=x"])
def test_what_is_no_time_or_number(told: Svcctl, option: str) -> None:
    result = told(option, "events")
    assert (result.status, result.stdout) == (1, "")
    assert result.stderr.startswith(f"svcctl: {option}: give how ")
    assert result.stderr.count("\n") == 1


def test_as_a_table(told: Svcctl) -> None:
    found = json.loads(told.good("--format=json", "events", "hv2"))
    row = dict(zip(found["headings"], found["data"][0], strict=True))
    assert row["name"], row["from"] == ("vpn-1", "hv1")
    assert row["message"] == "chassis hv1 is dead"
