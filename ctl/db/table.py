"""Tables on standard output, in the formats of ovs/lib/table.c.

A command fills an OutputTable; main chooses the style from the options.  A cell
is a column's value, or a plain one for what a command says in its own words.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...lib.moment import format_past, format_time
from ...services.api.commands import Moment, Plain
from .row import Row
from .schema import ColumnSchema
from .values import Datum, escape, format_datum, from_json, to_json

FORMATS = ("list", "table", "html", "csv", "json")
# Of a table that people read.
WIDTH = 120
# What is shown of a secret.
HIDDEN = "<hidden>"
_EMPTY = object()
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

    def list_texts(self, data: str, is_for_people: bool) -> Sequence[Sequence[str]]:
        """Returns the texts of each row in the data format 'data', as a terminal can show them."""
        return [
            [escape(cell.shown() if is_for_people else cell.text(data)) for cell in row]
            for row in self.rows
        ]

    def list_json(self) -> Sequence[Sequence[Any]]:
        """Returns the values of each row as JSON."""
        return [[cell.json() for cell in row] for row in self.rows]


class ColumnTable(OutputTable):
    """Columns of rows of a database, as they are when it is made."""

    __slots__ = ("_columns",)

    def __init__(self, columns: Sequence[ColumnSchema], values: Iterable[Iterable[Any]]) -> None:
        super().__init__([column.name for column in columns])
        self._columns = list(zip(columns, values, strict=True))

    def list_texts(self, data: str, is_for_people: bool) -> Sequence[Sequence[str]]:
        """As OutputTable has it; of columns people are shown what programs are."""
        texts = [format_values(values, column, data) for column, values in self._columns]
        return list(zip(*texts, strict=True))

    def list_json(self) -> Sequence[Sequence[Any]]:
        """As OutputTable has it."""
        made = (
            [_make_cell(value, column).json() for value in values]
            for column, values in self._columns
        )
        return list(map(list, zip(*made, strict=True)))


class Hidden:
    """Stands for a value that is not shown."""


def format_values(values: Iterable[Any], column: ColumnSchema, data: str) -> list[str]:
    """Returns the texts of cells in the data format 'data', as a terminal can show them.

    'values' are what Row.sent() returns, or Hidden.  Of those that are alike, as most are, a text
    is made once.
    """
    known: dict[Any, str] = {}
    texts = []
    for value in values:
        key = value
        if isinstance(value, list):
            # An empty set or map is known by its kind.
            key = None if value[1] else _EMPTY
        elif isinstance(value, (tuple, dict, float)):
            key = None
        text = None if key is None else known.get(key)
        if text is None:
            text = escape(_make_cell(value, column).text(data))
            if key is not None:
                known[key] = text
        texts.append(text)
    return texts


def _make_cell(value: Any, column: ColumnSchema) -> Cell | PlainCell:
    if value is Hidden:
        return PlainCell(HIDDEN)
    is_datum = isinstance(value, (tuple, dict))
    return Cell(value if is_datum else from_json(value, column), column)


def format_table(table: OutputTable, style: Style) -> str:
    """Returns the lines of 'table', each with its newline."""
    if style.format == "json":
        return _format_json(table, style.pretty)
    is_for_people = style.format == "table" and style.data == "string"
    texts = table.list_texts(style.data, is_for_people)
    if style.format == "list":
        return _format_list(table.headings, texts, style.headings)
    lines = [table.headings, *texts] if style.headings else texts
    if style.format == "csv":
        find = _Quoted().__getitem__
        return "".join([",".join(map(find, line)) + "\n" for line in lines])
    if style.format == "html":
        return _format_html(lines, style.headings)
    text = _format_columns(lines, style.headings, style.widest)
    is_fixed = table.below is None or style.widest is not None
    if is_fixed or max(map(len, text.split("\n"))) <= WIDTH:
        return text
    assert table.below is not None
    from .fit import fit

    return fit(
        table.headings,
        texts,
        table.below,
        width=WIDTH,
        with_headings=style.headings,
        format_lines=lambda lines, with_headings: _format_columns(lines, with_headings, None),
    )


def _format_list(
    headings: Sequence[str], rows: Sequence[Sequence[str]], with_headings: bool
) -> str:
    names = [f"{name:<20}: ".replace("%", "%%") if with_headings else "" for name in headings]
    # One format for a row: of many rows that is quicker than to join their texts one by one.
    form = "".join(f"{name}%s\n" for name in names)
    return "\n".join([form % tuple(row) for row in rows])


def _format_columns(lines: Sequence[Sequence[str]], with_headings: bool, widest: int | None) -> str:
    if not lines:
        return ""
    if widest is not None:
        least = list(map(len, lines[0])) if with_headings else [0] * len(lines[0])
        most = [max(widest, length) for length in least]
        lines = [[text[:width] for text, width in zip(line, most, strict=True)] for line in lines]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    if with_headings:
        lines = [lines[0], ["-" * width for width in widths], *lines[1:]]
    form = " ".join([*(f"%-{width}s" for width in widths[:-1]), "%s"])
    return "".join([(form % tuple(line)).rstrip(" ") + "\n" for line in lines])


def _format_html(lines: Sequence[Sequence[str]], with_headings: bool) -> str:
    import html

    parts = ["<table border=1>\n"]
    for number, line in enumerate(lines):
        tag = "th" if with_headings and number == 0 else "td"
        cells = "".join(f"    <{tag}>{html.escape(text)}</{tag}>\n" for text in line)
        parts.append(f"  <tr>\n{cells}  </tr>\n")
    return "".join(parts) + "</table>\n"


class _Quoted(dict[str, str]):
    """Texts as a CSV file has them; many cells have the same."""

    def __missing__(self, text: str) -> str:
        self[text] = found = _quote_csv(text)
        return found


def _quote_csv(text: str) -> str:
    if not any(character in text for character in '\n",'):
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def _format_json(table: OutputTable, pretty: bool) -> str:
    if pretty:
        content = {"data": table.list_json(), "headings": table.headings}
        # JSON leaves as they are some characters that a terminal takes for commands.
        lines = _dump_pretty(content, 0).split("\n")
        return "".join(f"{escape(line)}\n" for line in lines)
    rows = ",".join([f"[{','.join(row)}]" for row in table.list_texts("json", False)])
    return f'{{"data":[{rows}],"headings":{escape(_dump(table.headings))}}}\n'


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
