"""IKE identities: who is meant, held to the library that decides it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ..services.ipsec import identity
from ..services.ipsec.identity import Identity, identity_problem
from .test_reasons import is_known_version

_LIBRARY = "/usr/lib/ipsec/libstrongswan.so.0"
_PERFECT = 20  # ID_MATCH_PERFECT
_ANYBODY = "stands for anybody; a pre-shared key needs one peer"
_ADDRESSES = "stands for several addresses; a pre-shared key needs one peer"
_NAMES = "stands for several names; a pre-shared key needs one peer"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        *((text, _ANYBODY) for text in ("%any", "%any6", "any", "Any", "*")),
        *(
            (text, _ANYBODY)
            for text in ("0.0.0.0", "::", "0::0", "0:0::0", "::0", "ipv4:#00000000")
        ),
        *((text, _ANYBODY) for text in ("{0}:x", "{}:x", "{0x0}:x", "{4294967296}:x")),
        *((text, _ADDRESSES) for text in ("1.0.0.0/24", "1.0.0.3/32", "0.0.0.0/0", "1.0.0.0/x")),
        *((text, _ADDRESSES) for text in ("1.0.0.1-1.0.0.9", "fd00::/64", "fd00::1-fd00::2")),
        *((text, _ADDRESSES) for text in ("ipv4net:x", "ipv6range:#0001", "{4}:x", "{0x8}:x")),
        *((text, _NAMES) for text in ("*.example.com", "@*.example.com", "*@example.com", "@*")),
        *((text, _NAMES) for text in ("fqdn:*", "DNS:*.a", "email:*@a", "@@*@a", "{2}:*.a")),
        *((text, _NAMES) for text in ("fqdn:#2a2E61", "@*#", "CN=*", "C=CH,CN=*", "rfc822:#2a")),
        ("asn1dn:#300c310a300806035504030c012a", _NAMES),
        ("asn1dn:#302a", None),
        ("@#", "is not hexadecimal behind its #"),
        ("@#xyz", "is not hexadecimal behind its #"),
        ("keyid:#0g", "is not hexadecimal behind its #"),
        ("@", "names nobody"),
        ("fqdn:", "names nobody"),
        *((text, None) for text in ("1.0.0.3", "fd00::3", "venus", "venus.example.com", "@venus")),
        *((text, None) for text in ("a@venus", "@#a1b2", "@#0xa1:b2", "keyid:a*b", "CN=venus")),
        *((text, None) for text in ("1.0.0.9-1.0.0.1", "1.0.0.0/33", "%anybody", "a#b", "{x}:*")),
    ],
)
def test_who_stands_for_more_than_one_is_refused(text: str, problem: str | None) -> None:
    expected = None if problem is None else f"peer id {text} {problem}"
    assert identity_problem("peer id", text) == expected


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("venus.example.com", "@VENUS.example.com"),
        ("venus.example.com", "fqdn:#76656e75732e6578616d706c652e636f6d"),
        ("a@venus", "@@A@venus"),
        ("1.0.0.3", "ipv4:#01000003"),
        ("1.0.0.3", "{1}:#01:00:00:03"),
        ("fd00::3", "fd00:0:0::3"),
        ("@#A1b2", "keyid:#0xa1:b2"),
        ("CN=venus", "cn=venus"),
    ],
)
def test_one_identity_in_other_words(first: str, second: str) -> None:
    assert identity.parse(first) == identity.parse(second)


# -- libstrongswan ------------------------------------------------------------------


class _Chunk(ctypes.Structure):
    _fields_ = (("ptr", ctypes.c_void_p), ("len", ctypes.c_size_t))


class Library:
    """libstrongswan in this process."""

    def __init__(self) -> None:
        self._library: Any = ctypes.CDLL(_LIBRARY)
        self._library.library_init.restype = ctypes.c_bool
        assert self._library.library_init(None, b"ovnsvc-test")
        self._create = self._library.identification_create_from_string
        self._create.restype = ctypes.c_void_p

    def end(self) -> None:
        """Frees what the library has."""
        self._library.library_deinit()

    def parse(self, text: str) -> tuple[Identity, bool]:
        """Returns the identity that 'text' means, and whether it has wildcards."""
        made = self._create(text.encode())
        try:
            chunk = self._call(made, 0, _Chunk)
            value = ctypes.string_at(chunk.ptr, chunk.len) if chunk.len else b""
            found = Identity(self._call(made, 1, ctypes.c_uint), value)
            return found, self._call(made, 5, ctypes.c_bool)
        finally:
            self._call(made, 8, None)

    def match(self, text: str, pattern: str) -> int:
        """Returns how well a peer of the identity 'text' is one of 'pattern'."""
        one, other = self._create(text.encode()), self._create(pattern.encode())
        try:
            return int(self._call(one, 4, ctypes.c_int, other))
        finally:
            self._call(one, 8, None)
            self._call(other, 8, None)

    def _call(self, made: int, number: int, result: Any, *arguments: int) -> Any:
        """Calls a method of an identification_t, by its place in the structure."""
        methods = ctypes.cast(made, ctypes.POINTER(ctypes.c_void_p))
        kinds = [ctypes.c_void_p] * (1 + len(arguments))
        method: Callable[..., Any] = ctypes.CFUNCTYPE(result, *kinds)(methods[number] or 0)
        return method(made, *arguments)


@pytest.fixture(scope="module")
def library() -> Iterator[Library]:
    if not is_known_version():
        pytest.skip("strongSwan 5.9.8 is not installed")
    made = Library()
    yield made
    made.end()


words = st.sampled_from(
    [
        *("%any", "any", "*", "0.0.0.0", "::", "0::0", "1.0.0.3", "1.0.0.4", "fd00::3", "1.2.3"),
        *("/24", "/0", "/33", "/-1", "/x", "-", "-1.0.0.9", "@", "#", "@#", "@@", "=", ":", "."),
        *("venus", "example.com", "CN=", "O=x", ",", "{2}:", "{0x4}:", "{0}:", "{-1}:", "{08}:"),
        *("fqdn:", "email:", "keyid:", "ipv4:", "ipv4net:", "asn1dn:", "2a", "0x", "2A61", "%"),
    ]
)
texts = st.lists(words, min_size=1, max_size=4).map("".join) | st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20
)


@given(texts)
@example("{4294967298}:*")
@example("{+2}:*.a")
@settings(max_examples=400)
def test_the_library_parses_alike(library: Library, text: str) -> None:
    problem = identity_problem("peer id", text)
    if problem is not None and "hexadecimal" in problem:
        return
    found, has_wildcards = library.parse(text)
    mine = identity.parse(text)
    if mine.kind == identity.NAME and found.kind == identity.KEY_ID:
        return  # what looks like a distinguished name, and is none
    assert found.kind == mine.kind
    if mine.kind in (identity.FQDN, identity.MAILBOX):
        assert found.value.lower() == mine.value
    elif mine.kind in (identity.IPV4, identity.IPV6, identity.KEY_ID):
        assert found.value == mine.value
    assert problem is not None or not has_wildcards


@given(texts, texts)
@example("venus.example.com", "*.example.com")
@example("1.0.0.3", "1.0.0.3-1.0.0.3")
@settings(max_examples=200)
def test_who_is_taken_is_who_is_meant(library: Library, text: str, pattern: str) -> None:
    """A text without a problem takes its own identity, and no other one."""
    problems = [identity_problem("peer id", each) for each in (text, pattern)]
    if any(problems):
        return
    match = library.match(text, pattern)
    assert match in (0, _PERFECT)
    if match == _PERFECT:
        assert identity.parse(text) == identity.parse(pattern)
