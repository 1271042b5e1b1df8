"""The configuration of the lab's remote sites, by the kind of gateway that they are like."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ..utilities.lab.errors import LabError
from ..utilities.lab.peer_conf import KINDS, Site, check_site, format_swanctl, list_children

SITE = Site(
    address="1.0.0.3/24",
    subnets=("192.168.2.0/24", "192.168.4.0/24"),
    local_site_address="1.0.0.100",
    local_subnets=("192.168.1.0/24", "192.168.3.0/24"),
    psk="key",
)


def make(like: str) -> Site:
    return replace(SITE, like=like)


def test_stock_takes_all_pairs_in_one_child() -> None:
    assert list(list_children(SITE)) == [("site", SITE.subnets, SITE.local_subnets)]
    conf = format_swanctl(SITE)
    assert "version = 2" in conf
    assert "remote_ts = 192.168.1.0/24,192.168.3.0/24" in conf
    assert "secret = 0sa2V5" in conf


@pytest.mark.parametrize("like", ["one-pair", "ikev1"])
def test_one_pair_for_each_child(like: str) -> None:
    children = list(list_children(make(like)))
    pairs = {(one, other) for _, (one,), (other,) in children}
    assert pairs == {(one, other) for one in SITE.subnets for other in SITE.local_subnets}
    assert len({name for name, _, _ in children}) == len(pairs)


def test_single_pair_keeps_the_childs_name() -> None:
    site = replace(make("one-pair"), subnets=("192.168.2.0/24",), local_subnets=("192.168.1.0/24",))
    assert [name for name, _, _ in list_children(site)] == ["site"]


def test_words_of_the_other_kinds() -> None:
    assert "version = 1" in format_swanctl(make("ikev1"))
    assert "esp_proposals = aes256-sha256\n" in format_swanctl(make("no-pfs"))
    narrow = format_swanctl(make("narrowing"))
    assert "local_ts = 192.168.2.0/25,192.168.4.0/25\n" in narrow
    assert "remote_ts = 192.168.1.0/24,192.168.3.0/24\n" in narrow
    assert "life_time = 20s" in format_swanctl(make("closing"))
    single = replace(make("narrowing"), subnets=("192.0.2.1/32",))
    assert "local_ts = 192.0.2.1/32\n" in format_swanctl(single)


def test_every_kind_is_told_and_no_other_is_taken() -> None:
    for name, kind in KINDS.items():
        check_site(make(name))
        assert kind.words
    with pytest.raises(LabError, match="one of stock, one-pair"):
        check_site(make("cisco"))
