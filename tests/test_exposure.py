"""Which remotes of a database are open to whom they should not be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..lib.exposure import CHASSIS_ROLE, READER_ROLE, find_exposures, is_exposed
from ..lib.remotes import find_target_problem
from ..lib.schema import NORTHBOUND, SOUTHBOUND


@pytest.mark.parametrize(
    ("target", "exposed"),
    [
        ("ptcp:", True),
        ("ptcp:6651", True),
        ("ptcp:6651:0.0.0.0", True),
        ("ptcp:6651:10.0.0.1", True),
        ("ptcp:6651:127.0.0.1", False),
        ("ptcp:6651:127.1.2.3", False),
        ("ptcp:6651:[::1]", False),
        ("ptcp:6651:[::]", True),
        ("tcp:127.0.0.1:6651", False),
        ("tcp:[::1]:6651", False),
        ("tcp:127.0.0.1", False),
        ("tcp:central", True),
        ("tcp:10.0.0.1:6651", True),
        ("pssl:6651", False),
        ("ssl:10.0.0.1:6651", False),
        ("punix:/x", False),
        ("unix:/x", False),
    ],
)
def test_what_another_machine_reaches_without_tls(target: str, exposed: bool) -> None:
    assert is_exposed(target) is exposed


@given(st.sampled_from(["ptcp:", "tcp:", "pssl:", ""]), st.text("0123456789:.[]ax"))
def test_any_target_is_judged_and_what_can_listen_without_an_address_is_open(
    method: str, rest: str
) -> None:
    target = f"{method}{rest}"
    exposed = is_exposed(target)
    if find_target_problem(target) is None and method == "ptcp:" and rest.count(":") == 0:
        assert exposed


@pytest.mark.parametrize(
    ("database", "remotes", "words"),
    [
        (NORTHBOUND, [("ptcp:6651", "")], ["reads pre-shared keys and can change everything"]),
        (NORTHBOUND, [("pssl:6651", "")], []),
        (NORTHBOUND, [("ptcp:6651", READER_ROLE)], ["reads pre-shared keys; it has a role"]),
        (SOUTHBOUND, [("ptcp:6652", "")], ["whoever reaches it can change everything"]),
        (SOUTHBOUND, [("ptcp:6652:127.0.0.1", "")], []),
        (SOUTHBOUND, [("pssl:6652", "")], ["each chassis can change what is another's"]),
        (SOUTHBOUND, [("pssl:6652", CHASSIS_ROLE)], []),
        (SOUTHBOUND, [("pssl:6652", CHASSIS_ROLE), ("pssl:16652", "")], []),
        (SOUTHBOUND, [("ptcp:6652", CHASSIS_ROLE)], ["without a certificate can write nothing"]),
        (SOUTHBOUND, [("pssl:6652", "svc-x")], ["role svc-x of pssl:6652 is none of ovnsvc's"]),
        (
            SOUTHBOUND,
            [("ptcp:6652", ""), ("pssl:6653", CHASSIS_ROLE)],
            ["SVC_Southbound is open without TLS on ptcp:6652"],
        ),
    ],
)
def test_what_is_said(database: str, remotes: list[tuple[str, str]], words: list[str]) -> None:
    told = list(find_exposures(database, remotes))
    assert len(told) == len(words)
    for sentence, part in zip(told, words, strict=True):
        assert part in sentence
