"""IKE identities: what a text of a row means to strongSwan, and whom it stands for.

Pure.  libstrongswan finds out from a text what kind of identity it is
(identification_create_from_string() of strongSwan 5.9.8, in
utils/identification.c), and some kinds stand for many: with a pre-shared key
whoever has the key is let in then, and a connection may take the peer of another
one.  A test holds this file to that library.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

from ...lib.addresses import quote

# Kinds of identities (RFC 7296, 3.5; 7 and 8 are those of RFC 2407, 4.6.2.1).
ANY = 0
IPV4 = 1
FQDN = 2
MAILBOX = 3
IPV4_SUBNET = 4
IPV6 = 5
IPV6_SUBNET = 6
IPV4_RANGE = 7
IPV6_RANGE = 8
NAME = 9
GENERAL_NAME = 10
KEY_ID = 11

_ANYBODY = ("", "%any", "%any6", "0.0.0.0", "*", "::", "0::0")
_PREFIXES = {
    "ipv4:": IPV4,
    "ipv6:": IPV6,
    "ipv4net:": IPV4_SUBNET,
    "ipv6net:": IPV6_SUBNET,
    "ipv4range:": IPV4_RANGE,
    "ipv6range:": IPV6_RANGE,
    "rfc822:": MAILBOX,
    "email:": MAILBOX,
    "userfqdn:": MAILBOX,
    "fqdn:": FQDN,
    "dns:": FQDN,
    "asn1dn:": NAME,
    "asn1gn:": GENERAL_NAME,
    "xmppaddr:": GENERAL_NAME,
    "keyid:": KEY_ID,
}
# As strtoul() takes it with base 0; one of more than 64 bits is none.
_NUMBER = re.compile(r"\{([+-]?)(0[xX][0-9a-fA-F]{1,16}|0[0-7]{0,21}|[1-9][0-9]{0,18}|)\}:")
_HEXADECIMAL = re.compile(r"(0x)?[0-9a-fA-F]+(:[0-9a-fA-F]+)*")
_LENGTH = re.compile(r"[+-]?[0-9]{1,9}")
_SEVERAL = (IPV4_SUBNET, IPV6_SUBNET, IPV4_RANGE, IPV6_RANGE)
_WITHOUT_CASE = (FQDN, MAILBOX, NAME)


@dataclass(frozen=True, slots=True)
class Identity:
    """An identity as it is compared: two that are equal are the same to strongSwan."""

    kind: int
    value: bytes


# -- whom it stands for -------------------------------------------------------


def identity_problem(what: str, text: str) -> str | None:
    """Returns why 'text', which is printable ASCII, cannot be the identity of one gateway."""
    name = f"{what} {quote(text)}"
    mark = text.find("#")
    if _is_hexadecimal(text) and _HEXADECIMAL.fullmatch(text[mark + 1 :]) is None:
        return f"{name} is not hexadecimal behind its #"
    identity = parse(text)
    # Nobody is called "any" or has the address 0; who writes that means anybody.
    nothing = identity.kind in (IPV4, IPV6) and not any(identity.value)
    if identity.kind == ANY or nothing or text.lower() == "any":
        return f"{name} stands for anybody; a pre-shared key needs one peer"
    if identity.kind in _SEVERAL:
        return f"{name} stands for several addresses; a pre-shared key needs one peer"
    # In the encoding of a distinguished name an asterisk may be the length of something.
    encoded = identity.kind == NAME and _is_hexadecimal(text)
    if identity.kind in _WITHOUT_CASE and (b"\x01*" if encoded else b"*") in identity.value:
        return f"{name} stands for several names; a pre-shared key needs one peer"
    return None if identity.value else f"{name} names nobody"


def _is_hexadecimal(text: str) -> bool:
    """Returns whether the value is written in hexadecimal."""
    if text.startswith("@#"):
        return True
    head, mark, _ = text.partition("#")
    return bool(mark) and (head.lower() in _PREFIXES or _NUMBER.fullmatch(head) is not None)


# -- what it is ---------------------------------------------------------------


def parse(text: str) -> Identity:
    """Returns the identity that 'text' means.

    A distinguished name stands as it is written, since only certificates have
    need of more.
    """
    identity = read(text)
    small = identity.kind in _WITHOUT_CASE
    return Identity(identity.kind, identity.value.lower() if small else identity.value)


def read(text: str) -> Identity:
    """Returns the same as it is sent, in small and capital letters as they are written."""
    return Identity(*_find_kind(text))


def _find_kind(text: str) -> tuple[int, bytes]:
    prefix = text[: text.find(":") + 1].lower()
    if prefix in _PREFIXES:
        return _PREFIXES[prefix], _read_value(text[len(prefix) :])
    number = _NUMBER.match(text)
    if number is not None:
        return _read_number(number), _read_value(text[number.end() :])
    if "=" in text:
        return NAME, text.encode()
    return _find_kind_by_at(text) if "@" in text else _find_kind_of_host(text)


def _find_kind_by_at(text: str) -> tuple[int, bytes]:
    if text.startswith("@#"):
        return KEY_ID, _read_value(text[1:])
    if text.startswith("@@"):
        return MAILBOX, text[2:].encode()
    if text.startswith("@"):
        return FQDN, text[1:].encode()
    return MAILBOX, text.encode()


def _find_kind_of_host(text: str) -> tuple[int, bytes]:
    if text in _ANYBODY:
        return ANY, b""
    found = _find_address(text)
    return found if found is not None else (KEY_ID if ":" in text else FQDN, text.encode())


def _read_value(text: str) -> bytes:
    if not text.startswith("#"):
        return text.encode()
    digits = text[1:].removeprefix("0x").replace(":", "")
    try:
        return bytes.fromhex(digits if len(digits) % 2 == 0 else f"0{digits}")
    except ValueError:
        return b""


def _read_number(found: re.Match[str]) -> int:
    """Returns a kind that is given as a number, which is cut to 32 bits."""
    sign, digits = found.groups()
    base = 16 if digits[:2].lower() == "0x" else 8 if digits.startswith("0") else 10
    number = int(digits or "0", base)
    return (-number if sign == "-" else number) & 0xFFFFFFFF


def _find_address(text: str) -> tuple[int, bytes] | None:
    """Returns the address, the subnet or the range of addresses that 'text' is."""
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    kinds = (IPV6, IPV6_SUBNET, IPV6_RANGE) if ":" in text else (IPV4, IPV4_SUBNET, IPV4_RANGE)
    for mark, kind in (("/", kinds[1]), ("-", kinds[2])):
        head, found, tail = text.partition(mark)
        if found:
            first, last = _pack(family, head), _pack(family, tail)
            is_one = _is_length(tail, family) if mark == "/" else last is not None
            if first is None or not is_one or (last is not None and first > last):
                return None
            return kind, text.encode()
    address = _pack(family, text)
    return None if address is None else (kinds[0], address)


def _is_length(text: str, family: int) -> bool:
    """Returns whether 'text' is the length of a prefix; what is no number is 0 (atoi())."""
    found = _LENGTH.match(text)
    return 0 <= int(found[0] if found else 0) <= (32 if family == socket.AF_INET else 128)


def _pack(family: int, text: str) -> bytes | None:
    try:
        return socket.inet_pton(family, text)
    except (OSError, ValueError):
        return None
