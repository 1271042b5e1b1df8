"""charon's log has the names that people know; nothing else has."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vici.protocol import Message

from ..services.ipsec.host import ike
from ..services.ipsec.host.names import Names
from .rig import Side, connect
from .test_controller_ipsec import A, B, make_settings

UUID = "9f3c1d5e-5b0e-4d0c-9c4e-0f8f0b6f7c11"
SECOND = {**connect(A, B), "id": str(uuid.UUID(int=2**127)), "peer_subnets": ["10.99.0.0/24"]}


def make_names(*settings: dict[str, Any]) -> tuple[Names, list[str]]:
    """Returns the names of some connections, and how charon's own are called otherwise."""
    pairs = make_pairs(*settings)
    names = Names()
    names.want(pairs)
    return names, list(dict.fromkeys(name for name, _ in pairs))


def make_pairs(*settings: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns the IKE connection of each connection, and what people call that."""
    return [(ike.find_name(each), each.name) for each in make_settings(*settings).connections]


def load(names: Names, name: str) -> str:
    """Returns how charon is given a connection."""
    [given] = names.to_charon("load-conn", {name: {"children": {"x": {}}}})
    return str(given)


def test_charon_is_given_both_and_nobody_else_sees_it() -> None:
    names, [name] = make_names({**connect(A, B), "name": "mercury/to-venus"})
    given = load(names, name)
    assert given == f"mercury/to-venus~{name}"
    for command, key in (("initiate", "ike"), ("terminate", "ike"), ("unload-conn", "name")):
        message = {key: name, "child": "x"}
        assert names.to_charon(command, message) == {**message, key: given}
    assert names.to_charon("rekey", {"child-id": "1"}) == {"child-id": "1"}
    assert names.to_charon("list-sas", None) is None
    sas = {given: {"uniqueid": b"1", "child-sas": {"x-1": {"name": b"x"}}}}
    assert names.from_charon("list-sa", sas) == {name: sas[given]}


def test_lines_are_read_without_it() -> None:
    names, [name] = make_names({**connect(A, B), "name": "mercury/to-venus"})
    given = load(names, name)
    line = {
        "msg": f"initiating IKE_SA {given}[1] to 1.0.0.3".encode(),
        "ikesa-name": given.encode(),
    }
    assert names.from_charon("log", line) == {
        "msg": f"initiating IKE_SA {name}[1] to 1.0.0.3".encode(),
        "ikesa-name": name.encode(),
    }
    other = {"msg": b"\xff ~ 10.0.0.1~2 a~b", "ikesa-name": b"(unnamed)"}
    assert names.from_charon("log", other) == other


def test_one_that_is_renamed_stays_what_it_is_to_charon() -> None:
    names, [name] = make_names({**connect(A, B), "name": "mercury/to-venus"})
    given = load(names, name)
    names.want(make_pairs({**connect(A, B), "name": "mercury/to-mars"}))
    assert load(names, name) == given
    # Another svc-controller finds it so, also what was given without a name.
    later, _ = make_names({**connect(A, B), "name": "mercury/to-mars"})
    assert later.from_charon("list-conn", {given: {}}) == {name: {}}
    assert load(later, name) == given
    later.forget()
    later.from_charon("list-conn", {name: {}})
    assert load(later, name) == name
    assert later.to_charon("unload-conn", {"name": name}) == {"name": name}
    assert load(later, name) == f"mercury/to-mars~{name}"


def test_connections_that_share_an_ike_sa_are_all_named() -> None:
    first = {**connect(A, B), "name": "mercury/one"}
    names, [name] = make_names(first, {**SECOND, "name": "mercury/two"})
    assert load(names, name) == f"mercury/one,mercury/two~{name}"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("a b/c{d}[1]<|>~e", "a_b/c_d__1_____e"),
        ("x\n2026-11-27 00[IKE] up", "x_2026-11-27_00_IKE__up"),
        (f"{UUID}/~{UUID}", f"{UUID}/_{UUID}"),
        ("ä" * 500, "_" * 120),
    ],
)
def test_what_a_log_or_vici_cannot_have(text: str, label: str) -> None:
    names, [name] = make_names({**connect(A, B), "name": text})
    assert load(names, name) == f"{label}~{name}"


@given(st.text(min_size=1))
def test_any_name_can_be_sent_and_comes_back(text: str) -> None:
    names, [name] = make_names({**connect(A, Side(12)), "name": text})
    given = load(names, name)
    assert len(given.encode()) < 255
    assert Message.serialize({given: {"version": "2"}})
    assert list(names.from_charon("list-sa", {given: {}})) == [name]
