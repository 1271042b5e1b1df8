"""What may stand in external_ids:svc-remote: whatever it is, python-ovs can live with it."""

from __future__ import annotations

import ovs.stream
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ..lib.remotes import find_remote_problem, find_target_problem


@pytest.mark.parametrize(
    ("remote", "problem"),
    [
        ("unix:/run/x.sock", None),
        ("tcp:1.2.3.4:6652", None),
        ("tcp:[fd00::1]:6652,tcp:1.2.3.4:6652", None),
        ("tcp:1.2.3.4", "has no port"),
        ("tcp:[fd00::1]", "has no port"),
        ("tcp:fd00::1:6652", "an IPv6 address is written in brackets"),
        ("tcp:1.2.3.4:x", "has no port"),
        ("tcp:central:6652", "'central' is not an IP address, and names are not resolved"),
        ("ssl:1.2.3.4:6652", "TLS needs --private-key, --certificate and --ca-cert"),
        ("tcp:1.2.3.4:6652,ssl:1.2.3.5:6652", "'ssl:1.2.3.5:6652'"),
        ("foo", "'foo' is not unix:PATH, tcp:IP:PORT or ssl:IP:PORT"),
        ("unix:", "is not unix:PATH"),
        ("tcp:1.2.3.4:6652,", "'' is not unix:PATH"),
        ("tcp:1.2.3.4:6652, tcp:1.2.3.5:6652", "' tcp:1.2.3.5:6652' is not unix:PATH"),
        ("unix:/run/\ud800", "is not valid UTF-8"),
    ],
)
def test_a_remote_that_cannot_be_is_named(remote: str, problem: str | None) -> None:
    found = find_remote_problem(remote)
    assert found is problem if problem is None else problem in str(found)


# Nothing but this machine is ever called.
_HOSTS = st.sampled_from(
    ["127.0.0.1", "[::1]", "::1", "[127.0.0.1]", "[::1%lo]", "::", "", "a", "[]"]
)
_PORTS = st.sampled_from(
    ["1", "01", "65535", "65536", "0", "-1", "x", "", "1 ", "\u0661", "1" * 5000]
)
_REMOTES = st.one_of(
    st.text(max_size=30).filter(lambda text: not text.startswith(("tcp:", "ssl:"))),
    st.text(max_size=200).map("unix:/nonexistent/".__add__),
    st.text(st.characters(), max_size=20).map("unix:/nonexistent/".__add__),
    st.builds("{}:{}:{}".format, st.sampled_from(["tcp", "ssl", "TCP", "ptcp"]), _HOSTS, _PORTS),
)


@given(st.lists(_REMOTES, min_size=1, max_size=3).map(",".join))
@example("tcp:127.0.0.1:1,tcp:[::1]:65535")
@example("unix:/nonexistent/" + "x" * 300)
@settings(max_examples=300)
def test_what_passes_can_be_opened_and_what_does_not_has_one_line(remotes: str) -> None:
    problem = find_remote_problem(remotes)
    if problem is not None:
        assert problem.isprintable()
        return
    for remote in remotes.split(","):
        error, stream = ovs.stream.Stream.open(remote)
        assert isinstance(error, int)
        if stream is not None:
            stream.close()


@given(st.text(max_size=40) | _REMOTES)
def test_any_target_is_judged(target: str) -> None:
    problem = find_target_problem(target)
    assert problem is None or problem
