"""The databases that tests run on."""

from __future__ import annotations

from .ovsdb import Databases


def test_insert_update_delete(databases: Databases) -> None:
    uuid = databases.nb.insert("Container_Group", name="vpns")
    databases.nb.update("Container_Group", [["name", "==", "vpns"]], policy="least")
    [row] = databases.nb.rows("Container_Group")
    assert (row["_uuid"], row["policy"]) == (["uuid", uuid], "least")
    databases.nb.delete("Container_Group")
    assert not any(databases.nb.dump().values())


def test_a_restarted_server_has_its_rows(databases: Databases) -> None:
    databases.ovn_nb.insert("Logical_Router", name="r")
    databases.ovn_nb.stop()
    databases.ovn_nb.start()
    assert [row["name"] for row in databases.ovn_nb.rows("Logical_Router")] == ["r"]
