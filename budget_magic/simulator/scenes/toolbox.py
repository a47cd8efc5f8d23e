"""How a scene uses whatever tools it is offered: finds them by name, fills inputs by schema."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from budget_magic.simulator.reply import Call
from budget_magic.simulator.view import Offered, View

NAMES: Final = {
    "list": ("list", "ls", "list_files", "list_dir", "list_directory"),
    "glob": ("glob", "find_files", "find"),
    "grep": ("grep", "search", "search_files", "rg"),
    "read": ("read", "read_file", "view", "cat", "open_file"),
}
"""File tools by what they do, under the names that clients give them."""
PATH: Final = ("file_path", "path", "filename", "file", "name", "target")
PATTERN: Final = ("pattern", "regex", "query", "glob")
RANGE: Final = ("view_range", "line_range", "lines")
_CODE: Final = ("code", "source", "script", "command")
_LOOK_AROUND: Final = 'print(sorted(name for name in dir() if not name.startswith("_")))'
_OTHER_TOOLS: Final = frozenset({"bash", "shell", "write", "edit", "memory", "delegate"})


def argument(tool: Offered, names: Iterable[str]) -> str | None:
    """The first of these argument names that the tool has; None where it has none of them."""
    return next((name for name in names if name in tool.properties), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTools:
    """The offered tools that look at files; None for each that is not offered."""

    list: Offered | None
    glob: Offered | None
    grep: Offered | None
    read: Offered | None

    def any(self) -> bool:
        """Whether there is one at all."""
        return any((self.list, self.glob, self.grep, self.read))

    def list_call(self) -> Call | None:
        """Look at the root folder."""
        return self._call(self.list, {})

    def glob_call(self, pattern: str) -> Call | None:
        """Find files by name."""
        return self._call(self.glob, {PATTERN: pattern})

    def grep_call(self, pattern: str) -> Call | None:
        """Search in all files."""
        return self._call(self.grep, {PATTERN: pattern})

    def read_call(self, path: str, lines: tuple[int, int] | None = None) -> Call | None:
        """Read a file, or some of its lines."""
        given: dict[tuple[str, ...], Any] = {PATH: path}
        if lines is not None:
            given[RANGE] = list(lines)
        return self._call(self.read, given)

    def kind(self, name: str) -> str | None:
        """What the tool of that name does: `list`, `glob`, `grep`, `read`; None for others."""
        for kind, tool in self._by_kind().items():
            if tool is not None and tool.name == name:
                return kind
        return next((kind for kind, names in NAMES.items() if name in names), None)

    def _by_kind(self) -> dict[str, Offered | None]:
        return {"list": self.list, "glob": self.glob, "grep": self.grep, "read": self.read}

    def _call(self, tool: Offered | None, given: Mapping[tuple[str, ...], Any]) -> Call | None:
        if tool is None:
            return None
        filled = {}
        for names, value in given.items():
            name = argument(tool, names)
            if name is not None:
                filled[name] = value
        for name in tool.required:
            if name not in filled:
                filled[name] = "." if name in PATH else fill(name, tool, "")
        return Call(tool.name, filled)


def file_tools(view: View) -> FileTools:
    """The offered file tools, recognised by name and by what they take."""
    found = {}
    for kind, names in NAMES.items():
        tool = view.tool(*names)
        wanted = PATTERN if kind in ("glob", "grep") else PATH
        fits = tool is not None and (kind == "list" or argument(tool, wanted) is not None)
        found[kind] = tool if fits else None
    return FileTools(**found)


def functions(view: View, files: FileTools) -> list[Offered]:
    """The offered tools that are neither file tools nor known to change things."""
    return [
        tool
        for tool in view.tools
        if files.kind(tool.name) is None and tool.name not in _OTHER_TOOLS
    ]


def named_in(tool: Offered, prompt: str) -> bool:
    """Whether the prompt speaks of the tool."""
    spoken = re.escape(tool.name).replace("_", r"[_ -]")
    return re.search(rf"(?<!\w){spoken}(?!\w)", prompt, re.IGNORECASE) is not None


def function_call(tool: Offered, prompt: str) -> Call | None:
    """A call of a function with its required arguments taken from the prompt.

    None where one of them cannot be found there.
    """
    filled = {}
    used: set[str] = set()
    for name in tool.properties:
        if name not in tool.required and re.search(rf"\b{re.escape(name)}\s*[=:]", prompt) is None:
            continue
        value = fill(name, tool, prompt, used)
        if value is None and name in tool.required:
            return None
        if value is not None:
            filled[name] = value
            used.add(str(value))
    return Call(tool.name, filled)


def fill(name: str, tool: Offered, prompt: str, used: Iterable[str] = ()) -> Any:  # noqa: PLR0911 - one return a rule
    """A value for one argument, by simple rules; None where the prompt gives none.

    Code is what stands in a fence or in backticks. Else, in this order: `name=value` in the prompt,
    the default, a listed choice, a number, something in quotes, a capitalised word, a word after
    "of", "for", "in", "to", "about" or "with".
    """
    schema = _plain(tool.properties.get(name) or {})
    kind = schema.get("type")
    if name in _CODE:
        return _code(tool, prompt)
    stated = re.search(
        rf"\b{re.escape(name)}\s*(?:[=:]|is)\s*[\"'`]?([\w.\-/@]+)", prompt, re.IGNORECASE
    )
    if stated:
        return _as(kind, stated.group(1))
    if "default" in schema:
        return schema["default"]
    if schema.get("enum"):
        choices = schema["enum"]
        return next((one for one in choices if str(one).lower() in prompt.lower()), choices[0])
    if kind in ("integer", "number"):
        numbers = [n for n in re.findall(r"-?\d+(?:\.\d+)?", prompt) if n not in used]
        return next((_as(kind, n) for n in numbers if str(_as(kind, n)) not in used), None)
    if kind == "boolean":
        return True
    if kind == "array":
        inner = _plain(schema.get("items") or {}).get("type")
        found = re.findall(r"-?\d+(?:\.\d+)?", prompt)
        quoted = re.findall(r"[\"'`]([^\"'`]+)[\"'`]", prompt)
        return [_as(inner, n) for n in found] if inner in ("integer", "number") else quoted
    if kind == "object":
        return {}
    return _words(prompt, set(used))


def _code(tool: Offered, prompt: str) -> str | None:
    """Code that the prompt shows; a Python tool can always look which names there are."""
    found = re.findall(r"```\w*\n(.*?)```|`([^`\n]+)`", prompt, re.DOTALL)
    shown = next((fenced or inline for fenced, inline in found), None)
    return shown or (_LOOK_AROUND if "python" in tool.name.lower() else None)


def _words(prompt: str, used: set[str]) -> str | None:
    quoted = re.findall(r"[\"`“]([^\"`”\n]+)[\"`”]|(?<!\w)'([^'\n]+)'(?!\w)", prompt)
    after = re.findall(r"\b(?:of|for|in|to|about|with)\s+(?:the\s+)?([\w.\-/]*\w)", prompt)
    capitals = re.findall(r"(?<=[a-z,] )([A-Z]\w+)", prompt)
    found = [*(a or b for a, b in quoted), *capitals, *after]
    return next((word for word in found if word not in used), None)


def _plain(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema without the wrapping that an optional argument has."""
    for option in schema.get("anyOf") or ():
        if option.get("type") != "null":
            return {**schema, **option}
    return schema


def _as(kind: object, text: str) -> Any:
    try:
        if kind == "integer":
            return int(float(text))
        if kind == "number":
            return float(text)
    except ValueError:
        return None
    if kind == "boolean":
        return text.lower() in ("true", "yes", "1")
    return text


def any_call(view: View, number: int = 0, name: str = "*") -> Call:
    """A call of some offered tool, its inputs made up where the prompt gives none.

    Parameters
    ----------
    view
        What is offered.
    number
        Which of the tools, in turn; also varies what is made up.
    name
        `*` for any tool, or names split by `|` of which the first that is offered is meant. Where
        none is offered, the first name is called all the same, as a confused model might.
    """
    wanted = [] if name == "*" else name.split("|")
    tools = [tool for tool in view.tools if not wanted or tool.name in wanted]
    if not tools:
        return Call(wanted[0] if wanted else "search", {})
    tool = tools[number % len(tools)]
    call = function_call(tool, view.prompt) if file_tools(view).kind(tool.name) is None else None
    return call or Call(tool.name, {one: made_up(one, tool, number) for one in tool.required})


def made_up(name: str, tool: Offered, number: int) -> Any:
    """Some value that the schema of an argument allows, another one for each number."""
    schema = _plain(tool.properties.get(name) or {})
    if "default" in schema:
        return schema["default"]
    if schema.get("enum"):
        return schema["enum"][number % len(schema["enum"])]
    if name in PATH:
        return "."
    if name in PATTERN:
        return "**/*" if tool.name in NAMES["glob"] else f"step {number}"
    values: dict[str, Any] = {"integer": number, "number": float(number), "boolean": True}
    values |= {"array": [], "object": {}}
    return values.get(str(schema.get("type")), f"attempt {number}")
