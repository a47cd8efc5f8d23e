"""How a scene uses the tools it is offered: recognise them by name, fill inputs by schema."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from budget_magic.simulator.scenes.context import OfferedTool, SceneContext
from budget_magic.simulator.scenes.scene import Call

Kind = Literal["list", "glob", "grep", "read"]
_NAMES: Final[dict[Kind, tuple[str, ...]]] = {
    "list": ("list", "ls", "list_files", "list_dir", "list_directory"),
    "glob": ("glob", "find_files", "find"),
    "grep": ("grep", "search", "search_files", "rg"),
    "read": ("read", "read_file", "view", "cat", "open_file"),
}
"""Names that clients give to file tools, by what the tools do."""
FILE_TOOLS: Final = {name: kind for kind, names in _NAMES.items() for name in names}
"""What a file tool does, by its name."""
PATH: Final = ("file_path", "path", "filename", "file", "name", "target")
PATTERN: Final = ("pattern", "regex", "query", "glob")
RANGE: Final = ("view_range", "line_range", "lines")
_SUBJECTS: Final = {"list": PATH, "glob": PATTERN, "grep": PATTERN, "read": PATH}
"""Arguments that say what to look at."""
_CODE: Final = ("code", "source", "script", "command")
_LIST_NAMES: Final = 'print(sorted(name for name in dir() if not name.startswith("_")))'
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")


class FileTools(dict[Kind, OfferedTool]):
    """The offered tools that look at files, recognised by their names and arguments."""

    def __init__(self, context: SceneContext) -> None:
        for kind, names in _NAMES.items():
            tool = context.tool(*names)
            if tool and (kind == "list" or _first(_SUBJECTS[kind], tool)):
                self[kind] = tool

    def call(self, kind: Kind, subject: str = "", lines: Sequence[int] = ()) -> Call | None:
        """Return a call of the tool of this kind; None without such a tool.

        `subject` is the path to read or the pattern to search for, `lines` the first and last line
        to read. Both are left out if empty or if the tool has no such argument.
        """
        tool = self.get(kind)
        if tool is None:
            return None
        filled: dict[str, Any] = {}
        for names, value in ((_SUBJECTS[kind], subject), (RANGE, [*lines])):
            name = _first(names, tool)
            if name is not None and value:
                filled[name] = value
        for name in tool.required:
            if name not in filled:
                filled[name] = "." if name in PATH else _take_from_prompt(name, tool, "")
        return Call(tool.name, filled)


def call_function(tool: OfferedTool, prompt: str) -> Call | None:
    """Return a call with arguments taken from the prompt; None if a required one is not there."""
    arguments = {}
    used: set[str] = set()
    for name in tool.properties:
        if name not in tool.required and re.search(rf"\b{re.escape(name)}\s*[=:]", prompt) is None:
            continue
        value = _take_from_prompt(name, tool, prompt, used)
        if value is None and name in tool.required:
            return None
        if value is not None:
            arguments[name] = value
            used.add(str(value))
    return Call(tool.name, arguments)


def call_any_tool(context: SceneContext, number: int = 0, name: str = "*") -> Call:
    """Return a call of an offered tool, its inputs made up if the prompt does not give them.

    `name` is `*` for any tool, or names separated by `|` of the tools to choose from; if none of
    these is offered, the first name is called all the same, as a confused model might. `number`
    chooses among the tools, and varies what is made up.
    """
    wanted = [] if name == "*" else name.split("|")
    tools = [tool for tool in context.tools if not wanted or tool.name in wanted]
    if not tools:
        return Call(wanted[0] if wanted else "search", {})
    tool = tools[number % len(tools)]
    call = None if tool.name in FILE_TOOLS else call_function(tool, context.prompt)
    return call or Call(tool.name, {name: _make_up(name, tool, number) for name in tool.required})


def _first(names: Iterable[str], tool: OfferedTool) -> str | None:
    return next((name for name in names if name in tool.properties), None)


def _take_from_prompt(  # noqa: PLR0911 - one return per rule
    name: str, tool: OfferedTool, prompt: str, used: Iterable[str] = ()
) -> Any:
    """Return a value for an argument by simple rules; None if the prompt gives none.

    Code is taken from a fence or backticks. Else, in this order: `name=value` in the prompt, the
    default, a listed choice, a number, something in quotes, a capitalised word, a word after "of",
    "for", "in", "to", "about" or "with".
    """
    schema = _unwrap_optional(tool.properties.get(name) or {})
    kind = schema.get("type")
    if name in _CODE:
        return _code(tool, prompt)
    stated = re.search(
        rf"\b{re.escape(name)}\s*(?:[=:]|is)\s*[\"'`]?([\w.\-/@]+)", prompt, re.IGNORECASE
    )
    if stated:
        return _convert(kind, stated.group(1))
    if "default" in schema:
        return schema["default"]
    if choices := schema.get("enum"):
        return next((one for one in choices if str(one).lower() in prompt.lower()), choices[0])
    if kind in ("integer", "number"):
        numbers = [n for n in _NUMBER.findall(prompt) if n not in used]
        values = (_convert(kind, number) for number in numbers)
        return next((value for value in values if str(value) not in used), None)
    if kind == "boolean":
        return True
    if kind == "array":
        item = _unwrap_optional(schema.get("items") or {}).get("type")
        if item in ("integer", "number"):
            return [_convert(item, number) for number in _NUMBER.findall(prompt)]
        return re.findall(r"[\"'`]([^\"'`]+)[\"'`]", prompt)
    if kind == "object":
        return {}
    return _word(prompt, set(used))


def _code(tool: OfferedTool, prompt: str) -> str | None:
    """Return the code in the prompt; a Python tool can always list the names there are."""
    found = re.findall(r"```\w*\n(.*?)```|`([^`\n]+)`", prompt, re.DOTALL)
    shown = next((fenced or inline for fenced, inline in found), None)
    return shown or (_LIST_NAMES if "python" in tool.name.lower() else None)


def _word(prompt: str, used: set[str]) -> str | None:
    quoted = re.findall(r"[\"`“]([^\"`”\n]+)[\"`”]|(?<!\w)'([^'\n]+)'(?!\w)", prompt)
    after = re.findall(r"\b(?:of|for|in|to|about|with)\s+(?:the\s+)?([\w.\-/]*\w)", prompt)
    capitals = re.findall(r"(?<=[a-z,] )([A-Z]\w+)", prompt)
    found = [*(a or b for a, b in quoted), *capitals, *after]
    return next((word for word in found if word not in used), None)


def _unwrap_optional(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema of an optional argument without its `anyOf`."""
    for option in schema.get("anyOf") or ():
        if option.get("type") != "null":
            return {**schema, **option}
    return schema


def _convert(kind: object, text: str) -> Any:
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


def _make_up(name: str, tool: OfferedTool, number: int) -> Any:
    """Return a value that the schema of an argument allows, a different one for each number."""
    schema = _unwrap_optional(tool.properties.get(name) or {})
    if "default" in schema:
        return schema["default"]
    if choices := schema.get("enum"):
        return choices[number % len(choices)]
    if name in PATH:
        return "."
    if name in PATTERN:
        return "**/*" if FILE_TOOLS.get(tool.name) == "glob" else f"step {number}"
    values: dict[str, Any] = {"integer": number, "number": float(number), "boolean": True}
    values |= {"array": [], "object": {}}
    return values.get(str(schema.get("type")), f"attempt {number}")
