"""What is told of keys before they fail: certificates that end soon, files that do not fit.

A connection that is open outlives its certificate, so that the end of one shows when it is
too late, at the next connection.
"""

from __future__ import annotations

from collections.abc import Iterator

import ovs.vlog

from . import tls, tls_stream
from .certificate import Certificate, format_day, read_certificates
from .errors import HostError
from .small_file import read_small_file
from .tls import NO_CA, Keys, format_path

vlog = ovs.vlog.Vlog("expiry")

_AHEAD_DAYS = 30
_DAY_S = 86400
_INTERVAL_MS = 30_000
# What is mended by hand is to be told no more soon after.
_AGAIN_MS = 2000
_LOG_AGAIN_MS = _DAY_S * 1000


class Expiry:
    """Looks at the keys of this process now and then, once a connection needed them."""

    def __init__(self) -> None:
        self._look_at_ms = 0
        self._keys: Keys | None = None
        self._found: tuple[str, ...] = ()
        self._logged: dict[str, int] = {}

    def find_warnings(self, clock_ms: int, now_s: float) -> tuple[str, ...]:
        """Returns a sentence on each certificate that ends within 30 days, or that will fail.

        'clock_ms' is monotonic, 'now_s' the wall clock.  Each is logged once a day.
        """
        keys = tls_stream.find_keys()
        if tls_stream.find_own_certificate() is None:
            return ()
        if clock_ms >= self._look_at_ms or keys != self._keys:
            self._keys, self._found = keys, tuple(_find_warnings(keys, now_s))
            self._look_at_ms = clock_ms + (_AGAIN_MS if self._found else _INTERVAL_MS)
            self._log(clock_ms)
        return self._found

    def _log(self, clock_ms: int) -> None:
        # The number of days is no other warning.
        kinds = {each.partition(" (in ")[0]: each for each in self._found}
        self._logged = {each: at for each, at in self._logged.items() if each in kinds}
        for kind, sentence in kinds.items():
            if clock_ms >= self._logged.get(kind, clock_ms):
                self._logged[kind] = clock_ms + _LOG_AGAIN_MS
                vlog.warn(sentence)


def _find_warnings(keys: Keys, now_s: float) -> Iterator[str]:
    """Returns what is wrong with the files of keys as they are now."""
    try:
        _context, own = tls.make_context(keys)
        # There is none to look at, or not yet.
        has_ca = keys.ca_cert != NO_CA and not keys.is_first
        authorities = read_small_file(keys.ca_cert) if has_ca else b""
    except (HostError, OSError) as error:
        yield f"the next connection by TLS will fail: {error}"
        return
    yield from describe_end(own, "certificate", keys.certificate, now_s)
    # Of a bundle the old one may end once the new one is there.
    newest = max(read_certificates(authorities), key=lambda each: each.ends_s, default=None)
    if newest is not None:
        yield from describe_end(newest, "CA certificate", keys.ca_cert, now_s)


def describe_end(certificate: Certificate, kind: str, path: str, now_s: float) -> Iterator[str]:
    """Returns a sentence if a certificate does not count, or ends within 30 days."""
    whose = f"{kind} of {certificate.name} ({format_path(path)})"
    problem = certificate.find_date_problem(now_s)
    if problem:
        yield f"{whose} {problem} by the clock of this host: no new connection can be made with it"
        return
    days = int(certificate.ends_s - now_s) // _DAY_S
    if days < _AHEAD_DAYS:
        end = format_day(certificate.ends_s)
        when = f"in {days} day{'s' * (days != 1)}" if days else "today or tomorrow"
        yield f"{whose} ends {end} ({when}): after that no new connection can be made with it"
