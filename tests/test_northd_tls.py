"""svc-northd over TLS: what is told of keys, and that it goes on."""

from __future__ import annotations

import pytest

from ..lib import loop, tls_stream
from ..lib.certificate import Certificate
from ..lib.expiry import describe_end
from ..lib.tls import Keys
from ..northd.commands import find_obstacle, format_status
from .cloud import Cloud
from .logs import Logs
from .ovsdb import Databases, wait_until
from .pki import Authority
from .tls import find_free_port

_DAY_S = 86400


@pytest.mark.usefixtures("tls_streams")
def test_keys_of_svc_northd(databases: Databases, logs: Logs) -> None:
    directory = databases.directory
    servers, clients = Authority(directory, "controllers", days=99), Authority(directory, "clients")
    keys, own = servers.issue("central", days=90), clients.issue("northd", days=90)
    port = find_free_port()
    databases.sb.restart(f"--remote=pssl:{port}:127.0.0.1", *keys.options(clients.path))
    databases.sb.remote = f"ssl:127.0.0.1:{port}"
    tls_stream.use(Keys(str(own.key), str(own.certificate), str(servers.path)))
    own.certificate.unlink()
    cloud = Cloud(databases, logs)
    logs.allow("TLS|cannot be read|ends 20")
    northd = cloud.northd

    def until_told(words: str) -> None:
        def told() -> bool:
            northd.run()
            return words in find_obstacle(northd)

        wait_until(told, words)

    until_told(
        f"SVC_Southbound cannot be read: ssl:127.0.0.1:{port}: --certificate {own.certificate}"
        " cannot be read: No such file or directory"
    )
    assert "\nProblem: SVC_Southbound cannot be read: ssl:" in format_status(northd)
    clients.issue("northd", days=3.5)

    def read_problem() -> str:
        northd.run()
        return str([row["problem"] for row in cloud.sb.rows("Northd")])

    words = f"certificate of CN northd ({own.certificate}) ends "
    wait_until(lambda: words in read_problem(), "the problem")
    assert "(in 3 days)" in read_problem()
    clients.issue("northd", days=90)
    loop.warp(31_000)
    wait_until(lambda: words not in read_problem(), "the end of it")
    assert northd.active
    northd.close()


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (-1, "ended 1970-04-10 00:00 UTC by the clock of this host: no new connection can be made"),
        (0.2, "ends 1970-04-10 (today or tomorrow)"),
        (1.5, "ends 1970-04-10 (in 1 day)"),
        (29.5, "ends 1970-04-10 (in 29 days)"),
        (30.5, ""),
        (400, "does not begin before 1970-01-01 00:00 UTC"),
    ],
)
def test_when_an_end_is_told(days: float, words: str) -> None:
    ends_s = 99 * _DAY_S
    certificate = Certificate("CN hv1", "CN switches", 0, ends_s)
    told = list(describe_end(certificate, "certificate", "/x", ends_s - days * _DAY_S))
    assert words in "".join(told)
    assert len(told) == bool(words)
