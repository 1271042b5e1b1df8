"""What a certificate says of itself: whose it is, who issued it, from when to when it counts.

What Python's ssl decodes a file with is used, so that svcctl needs no package for it.
"""

from __future__ import annotations

import _ssl
import re
import ssl
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .memory_file import name_bytes

_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_LONGEST_NAME = 100
# Of CPython 3.10 to 3.14, and in no list of what it promises.
_decode = _ssl._test_decode_cert  # type: ignore[attr-defined]
# Of a bundle of authorities no more are looked at.
_MOST = 1000


class Certificate(NamedTuple):
    """A certificate; the moments are in seconds since the epoch.

    'common_name' is that by which ovsdb-server knows who presents it, the first CN.
    """

    name: str
    issuer: str
    begins_s: int
    ends_s: int
    common_name: str = ""

    def find_date_problem(self, now_s: float) -> str:
        """Returns why it does not count by a clock, as "ended 2026-11-20 10:00 UTC"; "" if so."""
        if now_s > self.ends_s:
            return f"ended {format_moment(self.ends_s)}"
        return f"does not begin before {format_moment(self.begins_s)}" * (now_s < self.begins_s)

    def __str__(self) -> str:
        return f"{self.name}, issued by {self.issuer}"


def read_certificates(pem: bytes) -> list[Certificate]:
    """Returns those in the text of a file; none if there is none that can be read."""
    return list(_read(pem))


def read_der(der: bytes) -> Certificate | None:
    """Returns one that a server has sent."""
    return next(_read(ssl.DER_cert_to_PEM_cert(der).encode()), None)


def format_moment(moment_s: float) -> str:
    """Returns a moment as people write it, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(moment_s))


def format_day(moment_s: float) -> str:
    """Returns a moment as people write it, to the day (UTC)."""
    return format_moment(moment_s).partition(" ")[0]


def _read(pem: bytes) -> Iterator[Certificate]:
    for block in _BLOCK.findall(pem)[:_MOST]:
        with name_bytes(block) as path:
            try:
                found: Mapping[str, Any] = _decode(path)
                yield Certificate(
                    _find_name(found["subject"]),
                    _find_name(found["issuer"]),
                    ssl.cert_time_to_seconds(found["notBefore"]),
                    ssl.cert_time_to_seconds(found["notAfter"]),
                    _find_common_name(found["subject"]),
                )
            except (OSError, ValueError, KeyError):
                continue


def _find_common_name(subject: Any) -> str:
    pairs = (pair for each in subject for pair in each)
    return next((str(value) for key, value in pairs if key == "commonName"), "")


def _find_name(subject: Any) -> str:
    """Returns "CN x", or all that there is where there is no common name."""
    pairs = [pair for each in subject for pair in each]
    names = [value for key, value in pairs if key == "commonName"]
    text = f"CN {names[-1]}" if names else ", ".join(f"{key} {value}" for key, value in pairs)
    text = "".join(each if each.isprintable() else "?" for each in text or "nobody")
    return text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}..."
