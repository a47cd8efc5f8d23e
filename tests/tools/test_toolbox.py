"""The tools of a task, from what `--tools` names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from budget_magic.errors import ConfigurationError
from budget_magic.settings.parsers import tools as parse_tools
from budget_magic.tools import tool
from budget_magic.tools.toolbox import Toolbox, build_toolbox


def row_count(table: str) -> int:
    """Count the rows."""
    return len(table)


@tool(reads=True)
def columns() -> list[str]:
    return []


def read() -> None:
    """A name that the file tools use."""


NOTEBOOK: dict[str, object] = {
    "row_count": row_count,
    "columns": columns,
    "read": read,
    "twice": lambda n: 2 * n,
    "number": 5,
    "table.rows": row_count,
}


def build(tmp_path: Path, *entries: object) -> Toolbox:
    return build_toolbox(
        entries,
        root=tmp_path,
        lookup=NOTEBOOK.__getitem__,
        candidates=NOTEBOOK,
    )


def test_files_and_functions_come_in_a_stable_order(tmp_path: Path) -> None:
    first = build(tmp_path, "row_count", "files", columns)
    second = build(tmp_path, columns, "row_count", "files")

    assert first.names == ("columns", "glob", "grep", "list", "read", "row_count")
    assert first.definitions() == second.definitions()
    assert [one["name"] for one in first.definitions()] == list(first.names)
    found = first.get("row_count")
    assert found is not None
    assert found.name == "row_count"
    assert first.get("shell") is None


def test_none_and_nothing_give_no_tools(tmp_path: Path) -> None:
    assert build(tmp_path, "none").names == ()
    assert build(tmp_path).definitions() == []
    with pytest.raises(ConfigurationError, match="cannot be combined with other tools"):
        build(tmp_path, "none", "files")


def test_a_function_is_called_by_the_name_it_was_asked_for(tmp_path: Path) -> None:
    assert build(tmp_path, "twice", "table.rows").names == ("table_rows", "twice")


def test_only_reading_tools_are_left_for_the_background(tmp_path: Path) -> None:
    assert build(tmp_path, "row_count", "columns").for_background().names == ("columns",)


@pytest.mark.parametrize("name", ["edit", "shell", "python", "memory", "delegate", "mcp:github"])
def test_tools_of_later_versions_are_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        build(tmp_path, name)

    assert str(caught.value) == (
        f"tools {name} is not part of this version; use files or functions of your own"
    )


def test_an_unknown_name_is_refused_with_what_is_close(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="did you mean row_count"):
        build(tmp_path, "row_cuont")
    with pytest.raises(ConfigurationError, match="did you mean files"):
        build(tmp_path, "file")
    with pytest.raises(ConfigurationError, match="use files or define it"):
        build(tmp_path, "zzz")


@pytest.mark.parametrize("entries", [("files", "files"), ("columns", "columns")])
def test_a_tool_named_twice_is_refused(tmp_path: Path, entries: tuple[object, ...]) -> None:
    with pytest.raises(ConfigurationError, match="twice"):
        build(tmp_path, *entries)


def test_two_tools_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="the name of a file tool"):
        build(tmp_path, "files", "read")
    with pytest.raises(ConfigurationError, match="the name of another tool"):
        build(tmp_path, "row_count", row_count)
    with pytest.raises(ConfigurationError, match="the name of another tool"):
        build(tmp_path, row_count, row_count)


def test_what_is_no_function_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="number, of type int, is not a tool"):
        build(tmp_path, "number")
    with pytest.raises(ConfigurationError, match="is not a tool"):
        build(tmp_path, {"files": True})


def test_one_text_is_split_at_its_commas(tmp_path: Path) -> None:
    made = build_toolbox("columns, row_count", root=tmp_path, lookup=NOTEBOOK.__getitem__)

    assert made.names == ("columns", "row_count")


def test_a_list_of_names_is_split_at_commas() -> None:
    assert parse_tools(" files,row_count , ,x") == ("files", "row_count", "x")


def test_importing_the_room_imports_nothing_heavy() -> None:
    code = """
import sys, budget_magic.tools
print(sorted({"anthropic", "pydantic", "pandas", "IPython"} & set(sys.modules)))
"""
    seen = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )

    assert seen.stdout.strip() == "[]"
