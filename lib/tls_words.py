"""Why a TLS connection came to nothing, in words: whose mistake, since when, what to do.  Pure."""

from __future__ import annotations

import errno
import os
import ssl
from collections.abc import Sequence

from .certificate import Certificate, format_moment
from .tls import NO_CA, Keys, format_path

# What X509_verify_cert(3) calls them.
_NOT_YET_VALID, _EXPIRED = 9, 10
_UNKNOWN_ISSUER = (2, 18, 19, 20, 21)
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "UNEXPECTED_MESSAGE")
_NOTHING_SHARED = (
    "NO_PROTOCOLS_AVAILABLE",
    "UNSUPPORTED_PROTOCOL",
    "TLSV1_ALERT_PROTOCOL_VERSION",
    "SSLV3_ALERT_HANDSHAKE_FAILURE",
    "TLSV1_ALERT_INSUFFICIENT_SECURITY",
    "NO_CIPHERS_AVAILABLE",
    "TLSV1_ALERT_INTERNAL_ERROR",
)
SILENT = "the server does not answer the hello of TLS; it hangs, is overloaded, or speaks no TLS"


def explain_server(
    error: ssl.SSLCertVerificationError,
    keys: Keys,
    server: Certificate | None,
    authorities: Sequence[Certificate],
    now_s: float,
) -> str:
    """Returns why the certificate that a server has presented is not believed."""
    whose = f"the server's certificate ({server})" if server else "the server's certificate"
    ca_file = f"{keys.names[2]} {format_path(keys.ca_cert)}"
    if error.verify_code in (_EXPIRED, _NOT_YET_VALID):
        dates = server.find_date_problem(now_s) if server else ""
        if not dates and authorities:
            # It is the authority's then.
            newest = max(authorities, key=lambda each: each.ends_s)
            dates = newest.find_date_problem(now_s)
            whose = (
                f"{keys.names[2]} {format_path(keys.ca_cert)} ({newest.name})" if dates else whose
            )
        dates = dates or error.verify_message
        return f"{whose} {dates} by the clock of this host: a new one must take its place"
    if error.verify_code in _UNKNOWN_ISSUER:
        known = ", ".join(sorted({each.name for each in authorities})[:3])
        return (
            f"{whose} is not issued by the CA of {ca_file} ({known}):"
            " the server needs a certificate of this CA, or this file that of the server's CA"
        )
    return f"{whose} is not believed: {error.verify_message}"


def explain_refusal(error: OSError | None, keys: Keys, own: Certificate, now_s: float) -> str:
    """Returns why a server ended a connection before it answered; None is an end without a word."""
    reason = getattr(error, "reason", None) or ""
    dates = own.find_date_problem(now_s)
    whose = f"our certificate {format_path(keys.certificate)} ({own})"
    if dates:
        whose += f", which {dates} by the clock of this host"
    if "ALERT" not in reason:
        how = _find_words(error) if error is not None else "without a word"
        return f"the server closed the connection ({how}): it may have refused {whose}"
    if dates:
        return f"the server refused {whose}: a new one must take its place"
    advice = f"the server says: {_find_alert(reason)}"
    if reason.endswith(("UNKNOWN_CA", "DECRYPT_ERROR")):
        advice = "it does not know the CA that issued it, and needs one of the CA that it knows"
    elif reason.endswith("CERTIFICATE_EXPIRED"):
        advice = (
            f"it takes it for ended, which it does {format_moment(own.ends_s)}: is its clock right?"
        )
    return f"the server refused {whose}: {advice}"


def explain_handshake(error: OSError, keys: Keys, own: Certificate, now_s: float) -> str:
    """Returns why TLS was not agreed on, but for a certificate of the server."""
    reason = getattr(error, "reason", None) or ""
    if isinstance(error, TimeoutError):
        return SILENT
    if reason in _NO_TLS:
        return "what answers there speaks no TLS: it may listen at ptcp:, or be another program"
    if reason in _NOTHING_SHARED:
        asked = [f"--ssl-protocols {','.join(keys.protocols)}"] if keys.protocols else []
        asked += [f"--ssl-ciphers {keys.ciphers}"] if keys.ciphers else []
        ours = f" ({' and '.join(asked)} here)" if asked else ""
        return f"the server takes none of the protocols and ciphers that are offered{ours}"
    if "ALERT" in reason:
        return explain_refusal(error, keys, own, now_s)
    if _is_end(error):
        return (
            "the server closed the connection in the handshake of TLS: it may listen at ptcp:,"
            " or lack keys of its own (its log says why)"
        )
    return f"the handshake of TLS failed: {_find_words(error)}"


def find_certificate_note(keys: Keys) -> str:
    """Returns what is to be said of believing everybody; "" where a CA says who may answer."""
    if keys.ca_cert != NO_CA:
        return ""
    return f"{keys.names[2]} is {NO_CA}: whoever answers is believed (this is a security risk)"


def _is_end(error: OSError) -> bool:
    # The numbers of the others are OpenSSL's own.
    if isinstance(error, ssl.SSLError):
        return isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError))
    return error.errno in (errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN)


def _find_words(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or "without a word"
    return os.strerror(error.errno) if error.errno else str(error)


def _find_alert(reason: str) -> str:
    return reason.partition("ALERT_")[2].replace("_", " ").lower()
