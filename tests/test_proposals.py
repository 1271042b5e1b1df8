"""Algorithms of policies: strongSwan's proposals of them, and what cannot work."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..lib import schema
from ..services.ipsec import proposals, rules
from ..services.ipsec.rows import IKEPolicy, IPsecPolicy
from .test_vpn import ESP, IKE


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ["aes256-sha256-modp2048"]),
        ({"encryption_algorithm": ("aes-128",), "pfs": ("group19",)}, ["aes128-sha256-ecp256"]),
        (
            {"auth_algorithm": ("aes-xcbc",), "pfs": ("group31",)},
            ["aes256-aesxcbc-curve25519"],
        ),
        (
            {"encryption_algorithm": ("chacha20-poly1305",), "auth_algorithm": ("sha512",)},
            ["chacha20poly1305-prfsha512-modp2048"],
        ),
        (
            {
                "encryption_algorithm": ("aes-128", "aes-128-gcm-16", "aes-256", "aes-256-gcm-16"),
                "auth_algorithm": ("sha256", "sha512"),
                "pfs": ("group14", "group19"),
            },
            [
                "aes256gcm16-aes128gcm16-prfsha256-prfsha512-ecp256-modp2048",
                "aes256-aes128-sha256-sha512-ecp256-modp2048",
            ],
        ),
        (
            {
                "ike_version": "v1",
                "encryption_algorithm": ("aes-128", "aes-256"),
                "pfs": ("group14", "group19"),
            },
            [
                "aes256-sha256-ecp256",
                "aes256-sha256-modp2048",
                "aes128-sha256-ecp256",
                "aes128-sha256-modp2048",
            ],
        ),
    ],
)
def test_ike_proposals(change: dict[str, Any], expected: list[str]) -> None:
    assert proposals.make_ike_proposals(replace(IKE, **change)) == expected


@pytest.mark.parametrize(
    ("change", "version", "expected"),
    [
        ({}, 2, ["aes256-sha256-modp2048", "aes256-sha256"]),
        ({}, 1, ["aes256-sha256-modp2048"]),
        ({"pfs": ("none",)}, 2, ["aes256-sha256"]),
        ({"pfs": ("none",)}, 1, ["aes256-sha256"]),
        ({"pfs": ("group14",)}, 2, ["aes256-sha256-modp2048"]),
        ({"pfs": ("none",), "esn": True}, 2, ["aes256-sha256-esn"]),
        (
            {"encryption_algorithm": ("aes-128-ccm-16",), "pfs": ("group21",), "esn": False},
            2,
            ["aes128ccm16-ecp521"],
        ),
        (
            {
                "encryption_algorithm": ("aes-256", "aes-256-gcm-16", "chacha20-poly1305"),
                "auth_algorithm": ("sha256", "sha384"),
                "pfs": ("group14", "group20", "none"),
            },
            2,
            [
                "aes256gcm16-chacha20poly1305-ecp384-modp2048",
                "aes256-sha256-sha384-ecp384-modp2048",
                "aes256gcm16-chacha20poly1305",
                "aes256-sha256-sha384",
            ],
        ),
        (
            {
                "encryption_algorithm": ("aes-256", "aes-256-gcm-16"),
                "auth_algorithm": ("sha256", "sha512"),
            },
            1,
            ["aes256gcm16-modp2048", "aes256-sha256-modp2048", "aes256-sha512-modp2048"],
        ),
    ],
)
def test_esp_proposals(change: dict[str, Any], version: int, expected: list[str]) -> None:
    assert proposals.make_esp_proposals(replace(ESP, **change), version) == expected


def test_proposals_without_a_policy_are_those_of_an_empty_one() -> None:
    assert proposals.make_ike_proposals(None) == proposals.make_ike_proposals(IKE)
    for version in (1, 2):
        expected = proposals.make_esp_proposals(ESP, version)
        assert proposals.make_esp_proposals(None, version) == expected


V1 = replace(IKE, ike_version="v1")
MANY: Any = {
    "encryption_algorithm": ("aes-128", "aes-192", "aes-256"),
    "auth_algorithm": ("sha256", "sha384", "sha512"),
}


@pytest.mark.parametrize(
    ("ike", "ipsec", "problem"),
    [
        (replace(IKE, name=""), ESP, "policy : the name is empty"),
        (
            replace(V1, encryption_algorithm=("aes-128", "aes-128-gcm-16")),
            ESP,
            "policy ike: IKE v1 cannot use aes-128-gcm-16; use ike_version v2 or aes-256",
        ),
        (
            replace(V1, auth_algorithm=("aes-cmac", "sha256")),
            ESP,
            "policy ike: IKE v1 cannot use aes-cmac; use ike_version v2 or sha256",
        ),
        (replace(V1, **MANY, pfs=("group14", "group19")), ESP, None),
        (
            replace(V1, **MANY, pfs=("group14", "group19", "group20")),
            ESP,
            "policy ike: IKE v1 offers each combination of algorithms by itself; 27 are too many,"
            " 24 are the most",
        ),
        (replace(IKE, **MANY, pfs=("group14", "group19", "group20")), ESP, None),
        (
            IKE,
            replace(ESP, encryption_algorithm=("chacha20-poly1305",), auth_algorithm=("sha256",)),
            "policy esp: chacha20-poly1305 authenticates by itself; auth_algorithm must be empty",
        ),
        (
            IKE,
            replace(
                ESP,
                encryption_algorithm=("aes-256", "chacha20-poly1305"),
                auth_algorithm=("sha256",),
            ),
            None,
        ),
        (
            V1,
            replace(ESP, encryption_algorithm=("aes-256", "chacha20-poly1305")),
            "policy esp: IKE v1 cannot use chacha20-poly1305",
        ),
        (
            V1,
            replace(ESP, auth_algorithm=("aes-cmac",)),
            "policy esp: IKE v1 cannot use aes-cmac",
        ),
        (V1, replace(ESP, pfs=("none", "group14")), "policy esp: IKE v1 takes one pfs, not 2"),
        (V1, replace(ESP, pfs=("none",), encryption_algorithm=("aes-128-gcm-16",)), None),
        (None, replace(ESP, pfs=("none", "group14")), None),
        (V1, None, None),
    ],
)
def test_policies(ike: IKEPolicy | None, ipsec: IPsecPolicy | None, problem: str | None) -> None:
    assert rules.policies_problem(ike, ipsec) == problem


def _find_choices(table: str, column: str) -> list[str]:
    tables = json.loads(Path(schema.find_path(schema.NORTHBOUND)).read_text())["tables"]
    found: list[str] = tables[table]["columns"][column]["type"]["key"]["enum"][1]
    return found


def _sets(table: str, column: str) -> st.SearchStrategy[tuple[str, ...]]:
    found = _find_choices(table, column)
    return st.lists(st.sampled_from(found), max_size=8, unique=True).map(tuple)


def _policies(row: Any, table: str) -> st.SearchStrategy[Any]:
    columns = ("encryption_algorithm", "auth_algorithm", "pfs")
    sets = {column: _sets(table, column) for column in columns}
    return st.builds(replace, st.just(row), **sets)


@given(
    st.sampled_from(["v1", "v2"]),
    _policies(IKE, "IKE_Policy"),
    _policies(ESP, "IPsec_Policy"),
)
def test_whatever_may_be_chosen_comes_to_proposals(
    version: str, ike: IKEPolicy, ipsec: IPsecPolicy
) -> None:
    """Nothing that was chosen is lost, and nothing is there twice."""
    ike = replace(ike, ike_version=version)
    if rules.policies_problem(ike, ipsec) is not None:
        return
    made = proposals.make_ike_proposals(ike), proposals.make_esp_proposals(ipsec, int(version[1]))
    rows: tuple[IKEPolicy | IPsecPolicy, ...] = (ike, ipsec)
    for row, each in zip(rows, made, strict=True):
        assert 0 < len(each) <= 24
        assert len(set(each)) == len(each)
        words = {word for proposal in each for word in proposal.split("-")}
        for cipher in row.encryption_algorithm:
            assert cipher.replace("-", "") in words
