"""What a chassis tells is bounded by the schema; one that has more to tell goes on, and says so."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ..controller import bounded
from ..controller.programs import told
from ..lib import loop, schema
from ..northd.sync.roles import make_roles
from ..services.api.host import Probe
from ..services.api.item import Item
from .bench import Bench

SCHEMA = schema.load(schema.SOUTHBOUND)
NAME, TEXT = told.LONGEST_NAME, told.LONGEST_TEXT
# Of each column of a row of a chassis that holds texts: how long a key and a value, how many.
BOUNDS: dict[str, dict[str, tuple[int, int | None, int]]] = {
    "Chassis": {
        "hostname": (bounded.LONGEST_HOST, None, 1),
        "service_types": (NAME, None, bounded.MOST_PAIRS),
        "service_problems": (NAME, TEXT, bounded.MOST_PAIRS),
        "bridge_mappings": (bounded.LONGEST_HOST, None, bounded.MOST_BRIDGES),
        "parent_port": (bounded.LONGEST_HOST, None, 1),
        "public_key": (bounded.LONGEST_HOST, None, 1),
        "other_config": (NAME, TEXT, bounded.MOST_PAIRS),
        "external_ids": (NAME, TEXT, bounded.MOST_PAIRS),
    },
    "Chassis_Private": {
        "incarnation": (NAME, None, 1),
        "ovn_problem": (TEXT, None, 1),
        "load": (NAME, NAME, told.MOST_KEYS),
        "warnings": (TEXT, None, bounded.MOST_WARNINGS),
        "external_ids": (NAME, TEXT, bounded.MOST_PAIRS),
    },
    "Container_Binding": {
        "status_message": (4 * TEXT, None, 1),
        "namespace_name": (NAME, None, 1),
        "interface_name": (NAME, None, 1),
        "incarnation": (NAME, None, 1),
        "metrics": (NAME, None, told.MOST_KEYS),
    },
    "Container_Item": {
        "container": (NAME, None, 1),
        "kind": (NAME, None, 1),
        "name": (NAME, None, 1),
        "subject": (NAME, None, 1),
        "state": (NAME, None, 1),
        "message": (TEXT, None, 1),
        "detail": (NAME, TEXT, told.MOST_KEYS),
        "counters": (NAME, None, told.MOST_KEYS),
    },
}


def test_the_schema_bounds_each_text_that_a_chassis_can_write() -> None:
    found: dict[str, dict[str, Any]] = {}
    for permission in make_roles(SCHEMA)[1:]:
        table = SCHEMA["tables"][permission.columns["table"]]
        # What may insert a row may give it any columns; the name is that of a certificate.
        whole = permission.columns["insert_delete"]
        columns = set(table["columns"] if whole else permission.columns["update"])
        for column in columns - set(permission.columns["authorization"]):
            bounds = _find_bounds(table["columns"][column]["type"])
            if bounds is not None:
                found.setdefault(permission.columns["table"], {})[column] = bounds
    assert found == BOUNDS


def _find_bounds(column_type: Any) -> tuple[Any, Any, Any] | None:
    """Returns how long key and value may be, and how many; None of a column without texts."""
    if column_type in ("string", "integer", "boolean") or not isinstance(column_type["key"], dict):
        assert "string" not in str(column_type)
        return None
    key, value = column_type["key"], column_type.get("value", {})
    if key["type"] != "string" or "enum" in key:
        return None
    longest = value.get("maxLength") if isinstance(value, dict) else None
    return key["maxLength"], longest, column_type.get("max", 1)


@given(
    names=st.dictionaries(st.text(max_size=140), st.text(max_size=1100), max_size=300),
    most=st.integers(1, 300),
)
def test_what_is_left_out_is_told(names: dict[str, str], most: int) -> None:
    kept, problems = bounded.bound_names("labels", names, most)
    assert set(kept) <= names.keys()
    assert len(kept) <= most
    assert all(len(each) <= NAME for each in kept)
    assert bool(problems) == (len(kept) < len(names))
    pairs, problems = bounded.bound_map("labels", names)
    assert all(len(each) <= TEXT for each in pairs.values())
    assert bool(problems) == (len(pairs) < len(names))


def test_of_too_many_warnings_the_last_says_how_many() -> None:
    warnings = bounded.bound_warnings(f"{number:03d} {'x' * 2000}" for number in range(100))
    assert len(warnings) == bounded.MOST_WARNINGS
    assert all(len(each) <= TEXT for each in warnings)
    assert warnings[-1] == "there are 37 more warnings"


def test_a_chassis_with_more_to_tell_than_fits_goes_on_and_says_so(bench: Bench) -> None:
    # Characters count, not bytes (ovsdb-data.c).
    long = "\u20ac" * 5000
    labels = [f"label{number}=x" for number in range(300)] + [f"a={long}"]
    mappings = [f"net{number}:br-ex" for number in range(2000)] + ["n" * 300 + ":br-ex"]
    host = bench.host
    host.probe = Probe(None, {f"fact{number}": long for number in range(10)} | {long: long})
    host.ovn_problem = long
    host.full_disks = tuple(f"{number:03d} {long}" for number in range(100))
    host.items["c1"] = [
        Item(
            long,
            f"{number}{long}",
            long,
            long,
            long,
            1,
            {f"{key}{long}": long for key in range(99)},
        )
        for number in range(3)
    ]
    host.metrics["c1"] = {f"{number}{long}": 1.0 for number in range(99)}
    bench.open_switch(**{"svc-labels": ",".join(labels), "ovn-bridge-mappings": ",".join(mappings)})
    bench.bind("c1")
    bench.settle()
    (row,) = bench.sb.rows("Chassis")
    assert len(row["bridge_mappings"][1]) == bounded.MOST_BRIDGES
    assert len(row["other_config"][1]) == bounded.MOST_PAIRS
    assert max(len(value) for _, value in row["other_config"][1]) == TEXT
    assert len(bench.sb.rows("Container_Item")) == 3
    loop.warp(10_000)
    bench.until(lambda: len(_read_warnings(bench)) == bounded.MOST_WARNINGS, "warnings")
    host.full_disks = ()
    bench.until(lambda: len(_read_warnings(bench)) == 2, "what is left out")
    bridges, config = _read_warnings(bench)
    assert bridges == (
        "ovn-bridge-mappings: 977 of 2001 are not told to the southbound, which takes 1024 of 255"
        " characters each"
    )
    assert config.startswith("svc-labels and what service types tell of the host: ")


def _read_warnings(bench: Bench) -> list[str]:
    (row,) = bench.sb.rows("Chassis_Private")
    _kind, values = row["warnings"] if isinstance(row["warnings"], list) else ("", [])
    return list(values)
