"""The tools of a task, from the names and functions that `tools` gives."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from budget_magic.errors import ConfigurationError
from budget_magic.tools.files import FILE_TOOL_NAMES, file_tools
from budget_magic.tools.functions import function_tool
from budget_magic.tools.tool import Tool

LATER: Final = frozenset({"edit", "shell", "python", "memory", "delegate"})
MCP: Final = "mcp:"

Lookup = Callable[[str], object]
"""Finds an object of the notebook by name; raises LookupError or NameError where there is none."""


class Toolbox:
    """The tools of a task, by name, always in the same order.

    Examples
    --------
    >>> Toolbox([]).names
    ()
    """

    __slots__ = ("_tools",)

    def __init__(self, tools: Iterable[Tool]) -> None:
        by_name: dict[str, Tool] = {}
        for tool in tools:
            if tool.name in by_name:
                taken = "a file tool" if tool.name in FILE_TOOL_NAMES else "another tool"
                raise ConfigurationError(
                    f"{tool.name} is also the name of {taken}; give the function another name"
                )
            by_name[tool.name] = tool
        # Sorted: the cached prefix of a task begins with the tools, in this order.
        self._tools: Mapping[str, Tool] = MappingProxyType(dict(sorted(by_name.items())))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all tools, sorted."""
        return tuple(self._tools)

    def definitions(self) -> list[dict[str, Any]]:
        """Return the entries for the API's `tools`, sorted by name."""
        return [tool.definition() for tool in self._tools.values()]

    def get(self, name: str) -> Tool | None:
        """Return the tool of that name; None if there is none."""
        return self._tools.get(name)

    def reading_only(self) -> Toolbox:
        """Return the tools that only read: all that a task in the background may use."""
        return Toolbox(tool for tool in self._tools.values() if tool.reads_only)


def split_names(text: str) -> list[str]:
    """Return the names in a list of tools.

    Examples
    --------
    >>> split_names("files, row_count")
    ['files', 'row_count']
    """
    return [name for part in text.split(",") if (name := part.strip())]


def build_toolbox(
    entries: str | Sequence[str | Callable[..., Any]],
    *,
    root: Path,
    lookup: Lookup,
    candidates: Iterable[str] = (),
) -> Toolbox:
    """Return the toolbox that the entries of `tools` ask for.

    Parameters
    ----------
    entries
        `files`, names of functions in the notebook, functions; or `none` alone. One text is split
        at its commas.
    root
        The only folder that the file tools may touch; not looked at without `files`.
    lookup
        Finds a function of the notebook by name.
    candidates
        Names to suggest for one that is not found.

    Raises
    ------
    ConfigurationError
        An entry is unknown, given twice, of a later version, or cannot be a tool.
    """
    asked = split_names(entries) if isinstance(entries, str) else list(entries)
    words = [entry for entry in asked if isinstance(entry, str)]
    if "none" in words:
        if len(asked) > 1:
            raise ConfigurationError("none cannot be combined with other tools", setting="tools")
        return Toolbox([])
    twice = next((word for word in words if words.count(word) > 1), None)
    if twice is not None:
        raise ConfigurationError(f"names {twice} twice; name it once", setting="tools")
    tools: list[Tool] = []
    for entry in asked:
        if not isinstance(entry, str):
            tools.append(function_tool(entry))
        elif entry == "files":
            tools += file_tools(root)
        else:
            tools.append(_named(entry, lookup, candidates))
    return Toolbox(tools)


def _named(name: str, lookup: Lookup, candidates: Iterable[str]) -> Tool:
    if name in LATER or name.startswith(MCP):
        raise ConfigurationError(
            f"{name} is not part of this version; use files or functions of the notebook",
            setting="tools",
        )
    try:
        found = lookup(name)
    except (LookupError, NameError, AttributeError):
        close = difflib.get_close_matches(name, ["files", "none", *candidates], n=3)
        hint = f"; did you mean {' or '.join(close)}?" if close else "; use files or define it"
        message = f"{name}: there is no function of that name in the notebook{hint}"
        raise ConfigurationError(message, setting="tools") from None
    # The API takes no dots, which a method such as `table.rows` has.
    return function_tool(found, name.replace(".", "_"))
