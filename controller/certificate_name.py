"""Whether the certificate of this host is of the name of its chassis.

A southbound with roles knows a client by the CN of its certificate (ovsdb/rbac.c) and lets it write
the rows of the chassis of that name.  It goes by what was presented when the connection was made:
where something is refused, or the name is wrong, a certificate that takes the place of that in the
file is to be presented by a new connection.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import ovs.poller
import ovs.vlog

from ..lib import tls_stream
from ..lib.certificate import Certificate, read_certificates
from ..lib.idl import Session
from ..lib.refusal import is_forbidden
from ..lib.small_file import read_small_file
from ..lib.tls import format_path
from .programs.told import LONGEST_NAME, clean

vlog = ovs.vlog.Vlog("certificate_name")

LOOK_MS = 2000
_TLS = "ssl:"


def find_problem(chassis: str, remote: str, path: str, own: Certificate | None) -> str:
    """Returns that the certificate 'own', of the file 'path', is of another name; "" if not."""
    if own is None or _TLS not in remote or own.common_name == chassis:
        return ""
    ours, theirs = _quote(chassis), _quote(own.common_name)
    return (
        f"the certificate {format_path(path)} is of {theirs}, the chassis is {ours}"
        " (external_ids:system-id): a southbound with roles refuses what it writes;"
        f" it needs a certificate whose CN is {ours}, or the chassis the name {theirs}"
    )


def explain_refusal(refusal: str, problem: str, remote: str) -> str:
    """Returns why the southbound does not take what a chassis writes, and what to do.

    'refusal' are the words of the server, 'problem' is find_problem()'s.
    """
    told = f"the southbound refuses what this chassis writes ({refusal})"
    if not is_forbidden(refusal):
        return told
    if problem:
        return f"{told}: {problem}"
    if _TLS not in remote:
        return f"{told}: it wants a certificate, which {remote} has not; svc-remote must be ssl:"
    return f"{told}: svc-northd fills RBAC_Permission; does it run, and is Connection:role right?"


@dataclass(slots=True)
class CertificateName:
    """'problem' is what is wrong with the certificate of the last connection."""

    problem: str = ""
    _connection: int | None = None
    _own: Certificate | None = None
    _looking: bool = False
    _look_at_ms: int = 0

    def run(self, chassis: str, session: Session, refusal: str, now_ms: int) -> None:
        """Looks at the certificate, and has another one of the same file presented.

        'refusal' is why the server does not take what is written.
        """
        if session.connection not in (None, self._connection):
            self._connection, self._own = session.connection, tls_stream.find_own_certificate()
        path = tls_stream.find_keys().certificate
        problem = find_problem(chassis, session.remote, path, self._own)
        if problem and problem != self.problem:
            vlog.warn(problem)
        self.problem = problem
        refused = _TLS in session.remote and is_forbidden(refusal)
        self._looking = bool(problem) or refused
        if not (self._looking and session.connected and now_ms >= self._look_at_ms):
            return
        self._look_at_ms = now_ms + LOOK_MS
        if _read(path) not in (None, self._own):
            vlog.info(f"the certificate {format_path(path)} is another one: connecting anew")
            session.reconnect()

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        """Arms 'poller' for the next look at the file."""
        if self._looking:
            poller.timer_wait(max(0, self._look_at_ms - now_ms))


def _read(path: str) -> Certificate | None:
    with contextlib.suppress(OSError):
        return next(iter(read_certificates(read_small_file(path))), None)
    return None


def _quote(name: str) -> str:
    return f"'{clean(name, LONGEST_NAME)}'"
