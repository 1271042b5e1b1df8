"""Tables on standard output, in the formats of ovs/lib/table.c.

A command fills an OutputTable; main chooses the style from the options.  A cell
is a column's value, or a plain one for what a command says in its own words.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ...lib.moment import format_past, format_time
from ...services.api.commands import Moment, Plain
from .row import Row
from .schema import ColumnSchema
from .values import Datum, escape, format_datum, to_json

FORMATS = ("list", "table", "html", "csv", "json")
# Of a table that people read.
WIDTH = 120
DATA_FORMATS = ("string", "bare", "json")


class Style:
    """How tables are printed; 'widest' is how wide a column may be beside its heading."""

    __slots__ = ("data", "format", "headings", "pretty", "widest")

    def __init__(
        self, format: str, data: str, headings: bool, pretty: bool, widest: int | None = None
    ) -> None:
        self.format = format
        self.data = data
        self.headings = headings
        self.pretty = pretty
        self.widest = widest


class Cell:
    """The value of a column, as a table shows it."""

    __slots__ = ("_column", "_datum")

    def __init__(self, datum: Datum, column: ColumnSchema) -> None:
        self._datum = datum
        self._column = column

    def text(self, data: str) -> str:
        """Returns the text in the data format 'data'."""
        if data == "json":
            return _dump(self.json())
        return format_datum(self._datum, self._column, bare=data == "bare")

    def shown(self) -> str:
        """Returns the text as a table shows it that people read."""
        return self.text("string")

    def json(self) -> Any:
        """Returns the value in OVSDB's JSON."""
        return to_json(self._datum, self._column)


class DefaultCell(Cell):
    """The value of a column, or in words what an unset one stands for."""

    __slots__ = ("_default",)

    def __init__(self, datum: Datum, column: ColumnSchema, default: str) -> None:
        super().__init__(datum, column)
        self._default = default

    def text(self, data: str) -> str:
        """Returns the text in the data format 'data'."""
        if self._datum or data != "string":
            return super().text(data)
        return f"{self._default} (default)" if self._default else ""


class PlainCell:
    """A value in a command's own words, which no quotes surround."""

    __slots__ = ("_value",)

    def __init__(self, value: Plain) -> None:
        self._value = value

    def text(self, data: str) -> str:
        """Returns the text in the data format 'data'."""
        if data == "json":
            return _dump(self.json())
        if isinstance(self._value, Moment):
            return format_time(self._value.ms) if self._value.ms else ""
        if isinstance(self._value, bool):
            return "true" if self._value else "false"
        return ", ".join(self._value) if isinstance(self._value, tuple) else str(self._value)

    def shown(self) -> str:
        """Returns the text as a table shows it that people read: a moment has its age."""
        if isinstance(self._value, Moment):
            return format_past(self._value.ms)
        return self.text("string")

    def json(self) -> Any:
        """Returns the value as JSON, a tuple as OVSDB's set."""
        if isinstance(self._value, Moment):
            return self.text("string")
        return ["set", list(self._value)] if isinstance(self._value, tuple) else self._value


class OutputTable:
    """Rows under headings; 'format' is the one to use where the options name none.

    'below' are the headings of columns that stand below their rows where the table would be
    too wide for a terminal; with None it is as wide as it is.
    """

    __slots__ = ("below", "format", "headings", "rows")

    def __init__(
        self, headings: list[str], format: str = "list", below: Sequence[str] | None = None
    ) -> None:
        self.headings = headings
        self.format = format
        self.below = below
        self.rows: list[list[Cell | PlainCell]] = []

    def add(self, *values: Plain) -> None:
        """Adds a row of plain values."""
        self.rows.append([PlainCell(value) for value in values])

    def add_columns(self, row: Row, columns: Sequence[str], defaults: Mapping[str, str]) -> None:
        """Adds columns of 'row'; one that is not set shows what stands for it in 'defaults'."""
        schema = row.table.columns
        self.rows.append(
            [DefaultCell(row.datum(name), schema[name], defaults.get(name, "")) for name in columns]
        )


def format_table(table: OutputTable, style: Style) -> str:
    """Returns the lines of 'table', each with its newline."""
    if style.format == "json":
        return _format_json(table, style.pretty)
    is_for_people = style.format == "table" and style.data == "string"
    texts = [
        [escape(cell.shown() if is_for_people else cell.text(style.data)) for cell in row]
        for row in table.rows
    ]
    if style.format == "list":
        return _format_list(table.headings, texts, style.headings)
    lines = [table.headings, *texts] if style.headings else texts
    if style.format == "csv":
        return "".join(",".join(map(_quote_csv, line)) + "\n" for line in lines)
    if style.format == "html":
        return _format_html(lines, style.headings)
    text = _format_columns(lines, style.headings, style.widest)
    fits = max(map(len, text.split("\n"))) <= WIDTH
    if table.below is None or style.widest is not None or fits:
        return text
    from .fit import fit

    return fit(
        table.headings,
        texts,
        table.below,
        width=WIDTH,
        with_headings=style.headings,
        format_lines=lambda lines, with_headings: _format_columns(lines, with_headings, None),
    )


def _format_list(headings: list[str], rows: list[list[str]], with_headings: bool) -> str:
    names = [f"{name:<20}: " if with_headings else "" for name in headings]
    return "\n".join(
        "".join(f"{name}{text}\n" for name, text in zip(names, row, strict=True)) for row in rows
    )


def _format_columns(lines: list[list[str]], with_headings: bool, widest: int | None) -> str:
    if not lines:
        return ""
    if widest is not None:
        least = list(map(len, lines[0])) if with_headings else [0] * len(lines[0])
        most = [max(widest, length) for length in least]
        lines = [[text[:width] for text, width in zip(line, most, strict=True)] for line in lines]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    if with_headings:
        lines = [lines[0], ["-" * width for width in widths], *lines[1:]]
    padded = (
        [text.ljust(width) for text, width in zip(line[:-1], widths[:-1], strict=True)] + line[-1:]
        for line in lines
    )
    return "".join(" ".join(line).rstrip(" ") + "\n" for line in padded)


def _format_html(lines: list[list[str]], with_headings: bool) -> str:
    import html

    parts = ["<table border=1>\n"]
    for number, line in enumerate(lines):
        tag = "th" if with_headings and number == 0 else "td"
        cells = "".join(f"    <{tag}>{html.escape(text)}</{tag}>\n" for text in line)
        parts.append(f"  <tr>\n{cells}  </tr>\n")
    return "".join(parts) + "</table>\n"


def _quote_csv(text: str) -> str:
    if not any(character in text for character in '\n",'):
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def _format_json(table: OutputTable, pretty: bool) -> str:
    rows = [[cell.json() for cell in row] for row in table.rows]
    content = {"data": rows, "headings": table.headings}
    # JSON leaves as they are some characters that a terminal takes for commands.
    lines = (_dump_pretty(content, 0) if pretty else _dump(content)).split("\n")
    return "".join(f"{escape(line)}\n" for line in lines)


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)


def _dump_pretty(value: Any, depth: int) -> str:
    """Returns JSON as ovs/lib/json.c breaks it into lines."""
    indent = "\n" + "  " * (depth + 1)
    if isinstance(value, dict) and value:
        items = (f"{_dump(key)}: {_dump_pretty(value[key], depth + 1)}" for key in sorted(value))
        return "{" + indent + ("," + indent).join(items) + "}"
    if isinstance(value, list) and value:
        return "[" + indent + ("," + indent).join(_dump_pretty(v, depth + 1) for v in value) + "]"
    return _dump(value)
