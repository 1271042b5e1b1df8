"""A certificate of a former authority: what ends it, at a real southbound."""

from __future__ import annotations

import shutil
from pathlib import Path

from .ovsdb import Databases, wait_until
from .secured import KeyHolder, Pki, Secured


def test_an_open_connection_outlives_its_certificate_until_the_server_ends_all(
    databases: Databases, tmp_path: Path
) -> None:
    southbound = databases.sb
    if not southbound.rows("SB_Global"):
        southbound.insert("SB_Global")
    pki = Pki(tmp_path / "pki")
    secured = Secured(southbound, pki)
    secured.listen()
    thief = secured.enter("chassis", "hv2")
    stolen = shutil.copytree(pki.make("chassis", "hv2"), tmp_path / "stolen")
    for words in ("init", "server central", "chassis hv2"):
        pki.run("--renew", *words.split())
    pki.run("retire")
    shutil.copy(pki.make("chassis", "hv2") / "cacert.pem", stolen)

    def is_refused(again: Path) -> bool:
        try:
            KeyHolder(southbound.name, secured.port, again).request("list_dbs")
        except OSError:
            return True
        return False

    wait_until(lambda: is_refused(stolen), "the end of the certificate")
    assert not is_refused(pki.make("chassis", "hv2"))
    assert southbound.name in thief.request("list_dbs")
    southbound.end_connections()
    wait_until(lambda: is_closed(thief), "the end of the connection")
    thief.close()


def is_closed(holder: KeyHolder) -> bool:
    try:
        holder.request("list_dbs")
    except OSError:
        return True
    return False
