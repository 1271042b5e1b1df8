"""Algorithms and identities as the forms of other makes call them.  Pure."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable

from ..identity import FQDN, IPV4, IPV6, KEY_ID, MAILBOX, NAME, read
from ..proposals import GROUP_NUMBERS
from .algorithms import Choice, list_choices

_KINDS = {
    IPV4: "IPv4 address",
    IPV6: "IPv6 address",
    FQDN: "FQDN",
    MAILBOX: "e-mail address (user FQDN)",
    NAME: "distinguished name (ASN.1 DN)",
    KEY_ID: "key ID",
}
_FAMILIES = {IPV4: (socket.AF_INET, 4), IPV6: (socket.AF_INET6, 16)}
_MODES = re.compile(r"aes(\d+)(gcm|ccm)16")
_CURVES = {
    "curve25519": "Curve25519",
    "curve448": "Curve448",
    "ecp256": "256 bit elliptic curve",
    "ecp384": "384 bit elliptic curve",
    "ecp521": "521 bit elliptic curve",
}
_HASHES = {
    "sha256": "SHA-256",
    "sha384": "SHA-384",
    "sha512": "SHA-512",
    "aesxcbc": "AES-XCBC",
    "aescmac": "AES-CMAC",
}
# How much of it stands in a packet of ESP (RFC 4868, 2; RFC 3566, 4; RFC 4494, 2).
_CHECKED = {
    "sha256": "HMAC 128 bit",
    "sha384": "HMAC 192 bit",
    "sha512": "HMAC 256 bit",
    "aesxcbc": "96 bit",
    "aescmac": "96 bit",
}
_NO_GROUP = "none"


def list_ike_algorithms(proposals: Iterable[str], version: int) -> list[list[str]]:
    """Returns the lines of each set of algorithms of the IKE SA, of which each may be chosen."""
    return [_list_ike(choices, version) for choices in _find_sets(proposals)]


def list_esp_algorithms(proposals: Iterable[str]) -> list[list[str]]:
    """Returns the lines of each set of algorithms of a child SA, of which each may be chosen."""
    return [_list_esp(choices) for choices in _find_sets(proposals)]


def name_identity(text: str) -> str:
    """Returns an identity as it goes over the wire, with its type."""
    identity = read(text)
    kind = _KINDS.get(identity.kind, str(identity.kind))
    return f"{_show(identity.kind, identity.value)}, type {kind}"


def _show(kind: int, value: bytes) -> str:
    family, length = _FAMILIES.get(kind, (0, 0))
    # What was given with its type is sent as it is, whatever it says.
    if value and len(value) == length:
        return socket.inet_ntop(family, value)
    text = value.decode(errors="replace")
    return text if text.isprintable() and "\ufffd" not in text else f"0x{value.hex()}"


def _find_sets(proposals: Iterable[str]) -> list[list[Choice]]:
    """Returns what proposals allow: each set has any of its ciphers with any of its others.

    Ciphers that authenticate by themselves have a proposal of their own.
    """
    found: dict[bool, list[Choice]] = {}
    for each in list_choices(proposals):
        found.setdefault(_is_aead(each.cipher), []).append(each)
    return list(found.values())


def _list_ike(choices: list[Choice], version: int) -> list[str]:
    integrity, functions = _pick(choices, "integrity"), _pick(choices, "function")
    lines = [f"encryption: {_join(map(_name_cipher, _pick(choices, 'cipher')))}"]
    if functions:
        named = _join(_HASHES[each.removeprefix("prf")] for each in functions)
        lines += ["integrity: by the encryption", f"PRF: {named}"]
    else:
        uses = "hash" if version == 1 else "integrity and PRF"
        lines.append(f"{uses}: {_join(_HASHES[each] for each in integrity)}")
    return [*lines, f"DH group: {_join(map(_name_group, _pick(choices, 'group')))}"]


def _list_esp(choices: list[Choice]) -> list[str]:
    integrity = [f"{_HASHES[each]} ({_CHECKED[each]})" for each in _pick(choices, "integrity")]
    groups = list(dict.fromkeys(each.group for each in choices))
    numbers = "on (64 bit)" if any(each.numbers for each in choices) else "off"
    return [
        f"encryption: {_join(map(_name_cipher, _pick(choices, 'cipher')))}",
        f"integrity: {_join(integrity) or 'by the encryption'}",
        f"PFS: {_join(_name_pfs(each) for each in groups)}",
        f"extended sequence numbers: {numbers}",
    ]


def _pick(choices: Iterable[Choice], kind: str) -> list[str]:
    return [each for each in dict.fromkeys(getattr(one, kind) for one in choices) if each]


def _join(names: Iterable[str]) -> str:
    return " or ".join(names)


def _is_aead(cipher: str) -> bool:
    return cipher.startswith("chacha") or _MODES.fullmatch(cipher) is not None


def _name_cipher(cipher: str) -> str:
    mode = _MODES.fullmatch(cipher)
    if mode is not None:
        return f"AES-{mode[1]}-{mode[2].upper()} (16 byte ICV)"
    return f"AES-{cipher[3:]}-CBC" if cipher.startswith("aes") else "ChaCha20-Poly1305"


def _name_group(group: str) -> str:
    size = _CURVES.get(group) or f"{group.removeprefix('modp')} bit"
    return f"{GROUP_NUMBERS[group]} ({size})"


def _name_pfs(group: str) -> str:
    return f"group {_name_group(group)}" if group else _NO_GROUP
