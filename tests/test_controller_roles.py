"""A svc-controller at a southbound with roles: is refused, says why, and is heard once mended."""

from __future__ import annotations

import re
import shutil
from typing import Any

import pytest

from ..controller import commands
from ..controller.certificate_name import explain_refusal, find_problem
from ..controller.overview import format_status
from ..lib import schema, tls_stream
from ..lib.certificate import Certificate
from ..lib.delta import Desired
from ..lib.tls import Keys
from ..northd.sync.roles import make_roles
from .bench import ME, Bench
from .rig import to_map
from .secured import Pki, Secured
from .test_controller_identity import call, until_registered

OTHER, NEW = "hv2", "hv9"
REFUSED = "permission error: RBAC rules for client"
OF_OTHER = f"is of '{OTHER}', the chassis is '{ME}' (external_ids:system-id)"
FILES = ("privkey.pem", "cert.pem", "cacert.pem")
LONG_S = 20


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


class Site:
    """A southbound with roles, and the files of a chassis there."""

    def __init__(self, bench: Bench, pki: Pki) -> None:
        self.bench, self._pki = bench, pki
        self.files = bench.directory / "keys"
        self.files.mkdir()
        self.secured = Secured(bench.sb, pki)
        self.secured.listen()
        self.remote = f"ssl:127.0.0.1:{self.secured.port}"
        key, own, ca = (str(self.files / file) for file in FILES)
        tls_stream.use(Keys(key, own, ca))
        # A svc-controller is started with its keys.
        bench.restart()

    def issue(self, name: str) -> None:
        """Puts the key and certificate of a chassis into the files, as a rotation does."""
        made = self._pki.make("chassis", name)
        for file in FILES:
            shutil.copyfile(made / file, self.files / file)

    def fill(self, *, without: str = "") -> None:
        """Writes what svc-northd writes of roles, but for one table."""
        role, *permissions = make_roles(schema.load(schema.SOUTHBOUND))
        kept = [each for each in permissions if each.columns["table"] != without]
        refs = [[each.columns["table"], ["named-uuid", f"p{i}"]] for i, each in enumerate(kept)]
        columns = {"name": role.columns["name"], "permissions": ["map", refs]}
        self.bench.sb.transact(
            {"op": "delete", "table": "RBAC_Role", "where": []},
            {"op": "delete", "table": "RBAC_Permission", "where": []},
            *(_insert(each, f"p{number}") for number, each in enumerate(kept)),
            {"op": "insert", "table": "RBAC_Role", "row": columns},
        )


def _insert(desired: Desired, name: str) -> dict[str, Any]:
    row = {
        column: ["set", list(value)] if isinstance(value, tuple) else value
        for column, value in desired.columns.items()
    }
    return {"op": "insert", "table": desired.table, "uuid-name": name, "row": row}


@pytest.fixture
def site(bench: Bench, pki: Pki, tls_streams: None) -> Site:
    bench.sb.update("SB_Global", [], options=to_map({"heartbeat-interval": "100"}))
    return Site(bench, pki)


def until_said(site: Site, *sentences: str) -> str:
    """Runs until connection-status says all of it; returns that."""

    def said() -> str:
        answer = commands.connection_status(site.bench.controller)
        return answer if all(each in answer for each in sentences) else ""

    site.bench.until(said, f"{sentences}", timeout_s=LONG_S)
    return said()


def test_everything_it_writes_passes(site: Site) -> None:
    bench = site.bench
    site.fill()
    site.issue(ME)
    bench.open_switch(**{"svc-remote": site.remote})
    bench.bind("c1", {"addresses": [], "tunnels": {"t1": "up"}})
    bench.until_status("c1", "running", timeout_s=LONG_S)
    bench.until(lambda: bench.sb.rows("Container_Item"), "the tunnel")
    assert commands.connection_status(bench.controller) == "connected"
    bench.check_laws()
    bench.controller.leave()
    bench.until(lambda: bench.sb.rows("Chassis_Private")[0]["stopping"], "the news")
    bench.unbind("c1")
    bench.sb.update("SB_Global", [], nb_cfg=99)
    bench.until(lambda: bench.controller.left, "its rows to go")
    assert not bench.sb.rows("Chassis")
    assert bench.logs.find_warnings() == []


def test_a_certificate_of_another_name_is_told_once_and_another_file_mends_it(site: Site) -> None:
    bench = site.bench
    bench.logs.allow(re.escape(OF_OTHER))
    site.fill()
    site.issue(OTHER)
    bench.open_switch(**{"svc-remote": site.remote})
    answer = until_said(site, REFUSED, f'client "{OTHER}"', OF_OTHER, "the name 'hv2'")
    assert answer.startswith("connected\n")
    assert OF_OTHER in format_status(bench.controller)
    assert commands.is_ready(bench.controller).startswith("false: ")
    assert not bench.sb.rows("Chassis_Private")
    sent = bench.logs.count(REFUSED)
    assert sent == 1
    assert len(bench.logs.messages) < 40, "it is tried more and more seldom"
    site.issue(ME)
    until_registered(bench, ME)
    assert commands.connection_status(bench.controller) == "connected"
    assert "Problem" not in format_status(bench.controller)
    assert bench.logs.find_warnings() == []


def test_what_was_refused_is_not_told_of_a_connection_that_cannot_be_made(site: Site) -> None:
    bench = site.bench
    bench.logs.allow(f"{re.escape(OF_OTHER)}|cacert.pem has no certificate")
    site.fill()
    site.issue(OTHER)
    bench.open_switch(**{"svc-remote": site.remote})
    until_said(site, REFUSED)
    site.files.joinpath("cacert.pem").write_text("no certificate\n")
    bench.sb.stop()
    bench.sb.start()
    answer = until_said(site, "cacert.pem has no certificate of a CA in PEM")
    assert answer.startswith(f"not connected\nthe southbound {site.remote} is not connected: ")
    assert answer.count(site.remote) == 1
    assert OTHER not in answer + format_status(bench.controller)


def test_a_remote_that_cannot_be_is_told_beside_the_one_that_is_kept(site: Site) -> None:
    bench = site.bench
    site.fill()
    site.issue(ME)
    bench.open_switch(**{"svc-remote": site.remote})
    until_registered(bench, ME)
    bench.ovs.update("Open_vSwitch", [], external_ids=_identify("ssl:central:6652"))
    answer = until_said(site, "'central' is not an IP address", "it goes on as before")
    assert answer.startswith("connected\nexternal_ids:svc-remote ")
    bench.ovs.update("Open_vSwitch", [], external_ids=_identify(site.remote))
    bench.until(lambda: commands.connection_status(bench.controller) == "connected", "the end")


def _identify(remote: str) -> Any:
    return to_map({"system-id": ME, "svc-remote": remote})


def test_one_that_comes_before_the_roles_are_filled_is_heard_then(site: Site) -> None:
    bench = site.bench
    bench.logs.allow(f"the southbound refuses what this chassis writes .{REFUSED}")
    site.issue(ME)
    bench.open_switch(**{"svc-remote": site.remote})
    until_said(site, REFUSED, "svc-northd fills RBAC_Permission")
    site.fill()
    until_registered(bench, ME)
    assert bench.logs.count("the southbound takes what this chassis writes") == 1
    assert bench.logs.find_warnings() == []


def test_one_that_is_registered_says_so_too(site: Site) -> None:
    bench = site.bench
    bench.logs.allow(f"{REFUSED}|the name of this chassis")
    site.fill()
    site.issue(ME)
    bench.open_switch(**{"svc-remote": site.remote})
    until_registered(bench, ME)
    bench.sb.delete("RBAC_Role")
    until_said(site, REFUSED)
    site.fill()
    bench.until_beats(2)
    site.fill(without="Chassis")
    bench.sb.update("Chassis", [], hostname="x")
    until_said(site, REFUSED, 'modification of table "Chassis"')
    assert bench.logs.count('prohibit modification of table "Chassis"') < 4
    bench.until_beats(2)
    site.fill()
    bench.until(lambda: bench.sb.rows("Chassis")[0]["hostname"] != "x", "its row", timeout_s=LONG_S)
    bench.until(lambda: commands.connection_status(bench.controller) == "connected", "the end")


def test_what_may_not_be_told_of_containers_is_a_warning_and_no_storm(site: Site) -> None:
    bench = site.bench
    bench.logs.allow(REFUSED)
    site.fill(without="Container_Binding")
    site.issue(ME)
    bench.open_switch(**{"svc-remote": site.remote})
    bench.bind_all(f"c{number}" for number in range(20))
    told = "what is told of containers is refused: permission error"

    def warned() -> bool:
        rows = bench.sb.rows("Chassis_Private")
        return bool(rows) and told in str(rows[0]["warnings"])

    bench.until(warned, "the warning", timeout_s=LONG_S)
    assert bench.logs.count("transaction refused") == 1
    site.fill()
    bench.until_status("c0", "running", timeout_s=LONG_S)
    bench.until_status("c19", "running", timeout_s=LONG_S)
    bench.until(lambda: not warned(), "the end of the warning")


def test_rows_under_a_former_name_are_left_to_an_operator(site: Site) -> None:
    bench = site.bench
    bench.logs.allow("the southbound does not let this host remove its rows")
    site.fill()
    site.issue(ME)
    bench.open_switch(**{"svc-remote": site.remote})
    until_registered(bench, ME)
    bench.controller.close()
    site.issue(NEW)
    bench.ids = bench.ids | {"svc-remote": site.remote}
    call(bench, NEW)
    bench.controller = bench.make_controller()
    until_registered(bench, NEW)
    where = [["name", "==", NEW]]

    def warned() -> bool:
        (row,) = bench.sb.rows("Chassis_Private", where)
        return f"svcctl chassis-del {ME} does" in str(row["warnings"])

    bench.until(warned, "the warning")
    assert {row["name"] for row in bench.sb.rows("Chassis")} == {ME, NEW}
    # As chassis-del has svc-northd do.
    for table in ("Chassis", "Chassis_Private"):
        bench.sb.delete(table, [["name", "==", ME]])
    bench.until(lambda: not warned(), "the end of the warning")
    assert bench.controller.former_names.names == []


def test_the_words() -> None:
    own = Certificate("CN hv2", "CN ca", 0, 0, "hv2")
    assert find_problem("hv2", "ssl:1.0.0.1:6652", "cert.pem", own) == ""
    assert find_problem("hv1", "tcp:1.0.0.1:6652", "cert.pem", own) == ""
    assert find_problem("hv1", "ssl:1.0.0.1:6652", "cert.pem", None) == ""
    problem = find_problem("hv1", "tcp:1.0.0.2:1,ssl:1.0.0.1:6652", "cert.pem", own)
    assert problem == (
        "the certificate cert.pem is of 'hv2', the chassis is 'hv1' (external_ids:system-id):"
        " a southbound with roles refuses what it writes;"
        " it needs a certificate whose CN is 'hv1', or the chassis the name 'hv2'"
    )
    assert explain_refusal("constraint violation: x", problem, "ssl:").endswith(
        "(constraint violation: x)"
    )
    assert explain_refusal("permission error: x", problem, "ssl:").endswith(problem)
    assert "must be ssl:" in explain_refusal("permission error: x", "", "tcp:1.0.0.1:1")
