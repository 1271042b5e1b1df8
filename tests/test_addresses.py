"""Addresses and subnets as text."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..lib import addresses
from ..lib.addresses import (
    find_inner_overlap,
    find_overlap,
    parse_address,
    parse_subnet,
    quote,
    read_address,
    read_network,
)
from ..lib.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", '"" is not an IP address'),
        ("1.2.3", "1.2.3 is not an IP address"),
        ("1.2.3.04", "1.2.3.04 is not an IP address"),
        ("1.2.3.4/24", "1.2.3.4/24 is not an IP address"),
        ("venus\n", '"venus\\n" is not an IP address'),
        ("fe80::1%eth0", "fe80::1%eth0 has a zone; an address without one is needed"),
        ("0.0.0.0", "0.0.0.0 is the unspecified address and belongs to no host"),
        ("127.0.0.1", "127.0.0.1 is a loopback address and belongs to no host"),
        ("224.0.0.5", "224.0.0.5 is a multicast address and belongs to no host"),
        ("169.254.0.1", "169.254.0.1 is a link-local address and belongs to no host"),
        ("255.255.255.255", "255.255.255.255 is the broadcast address and belongs to no host"),
    ],
)
def test_bad_addresses(text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_address(text)
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", '"" is not a subnet (as 192.168.1.0/24)'),
        ("192.168.1.0", "192.168.1.0 is not a subnet (as 192.168.1.0/24)"),
        ("192.168.1.0/33", "192.168.1.0/33 is not a subnet (as 192.168.1.0/24)"),
        ("192.168.1.0/-1", "192.168.1.0/-1 is not a subnet (as 192.168.1.0/24)"),
        ("192.168.1.0/", "192.168.1.0/ is not a subnet (as 192.168.1.0/24)"),
        ("192.168.1.0/255.255.255.0", "192.168.1.0/255.255.255.0 is not a subnet"),
        ("a/24", "a/24 is not a subnet (as 192.168.1.0/24)"),
        ("fe80::%1/64", "fe80::%1/64 is not a subnet (as 192.168.1.0/24)"),
        ("192.168.1.5/24", "192.168.1.5/24 has host bits set; did you mean 192.168.1.0/24?"),
        ("127.0.0.0/8", "127.0.0.0/8 is a loopback address and cannot be routed"),
        ("239.0.0.0/8", "239.0.0.0/8 is a multicast address and cannot be routed"),
    ],
)
def test_bad_subnets(text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_subnet(text)
    assert str(caught.value).startswith(reason)


def test_good_ones() -> None:
    assert str(parse_address("1.0.0.100")) == "1.0.0.100"
    assert str(parse_address("2001:DB8::1")) == "2001:db8::1"
    assert str(parse_subnet("192.168.1.0/24")) == "192.168.1.0/24"
    assert str(parse_subnet("0.0.0.0/0")) == "0.0.0.0/0"
    assert str(parse_subnet("2001:db8::/32")) == "2001:db8::/32"


@given(st.text() | st.from_regex(r"[0-9./:a-f%]{0,40}"))
def test_any_text_is_parsed_or_refused_in_one_printable_line(text: str) -> None:
    for parse in (parse_address, parse_subnet):
        shown = ""
        try:
            shown = str(ipaddress.ip_network(str(parse(text))))
        except ConfigError as error:
            shown = str(error)
        assert shown
        assert shown.isprintable()


networks = st.ip_addresses(v=4).flatmap(
    lambda address: st.integers(0, 32).map(
        lambda length: ipaddress.ip_network(f"{address}/{length}", strict=False)
    )
)


@given(st.lists(networks, max_size=5), st.lists(networks, max_size=5))
def test_overlap_is_symmetric_and_means_a_shared_address(
    first: list[ipaddress.IPv4Network], second: list[ipaddress.IPv4Network]
) -> None:
    found = find_overlap(first, second)
    assert (found is None) == (find_overlap(second, first) is None)
    assert (found is None) == all(a[0] not in b and b[0] not in a for a in first for b in second)
    if found is not None:
        assert found[0] in first
        assert found[1] in second


@given(networks)
def test_a_subnet_overlaps_itself_only_when_given_twice(subnet: ipaddress.IPv4Network) -> None:
    assert find_inner_overlap([subnet]) is None
    assert find_inner_overlap([subnet, subnet]) == (subnet, subnet)


_octets = st.sampled_from(["0", "1", "9", "10", "169", "254", "255", "256", "01", "1.2", "", " 1"])
_texts = st.one_of(
    st.text(),
    st.from_regex(r"[0-9./:a-f%]{0,40}"),
    st.builds(
        "{}.{}.{}.{}{}".format,
        _octets,
        _octets,
        _octets,
        _octets,
        st.sampled_from(
            [
                "",
                "/",
                "/0",
                "/8",
                "/08",
                "/24",
                "/32",
                "/33",
                "/008",
                "/\u0663",
                "/255.0.0.0",
                "\0",
                "\n",
            ]
        ),
    ),
)


def _say(read: Callable[[], object]) -> object:
    try:
        return read()
    except ValueError as error:
        return str(error)


@given(_texts, st.booleans())
def test_any_text_is_read_as_ipaddress_reads_it(text: str, strict: bool) -> None:
    assert _say(lambda: read_address(text)) == _say(lambda: ipaddress.ip_address(text))
    expected = _say(lambda: ipaddress.ip_network(text, strict=strict))
    assert _say(lambda: read_network(text, strict=strict)) == expected


@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_what_is_special_begins_with_a_special_octet(
    address: ipaddress.IPv4Address, length: int
) -> None:
    network = ipaddress.ip_network((int(address), length), strict=False)
    for thing in (address, network):
        if thing.is_unspecified or thing.is_loopback or thing.is_multicast or thing.is_link_local:
            first = address if thing is address else network.network_address
            assert first.packed[0] in addresses._SPECIAL_OCTETS


@given(st.text())
def test_a_quotation_is_short_printable_and_not_empty(text: str) -> None:
    assert quote(text).isprintable()
    assert 0 < len(quote(text)) <= 64 * 10 + 2
