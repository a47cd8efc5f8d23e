"""Parse the options of the magics' lines and apply them to a task's settings."""

from __future__ import annotations

import difflib
import keyword
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from IPython.utils.process import arg_split  # type: ignore[attr-defined] # re-exported there

from budget_magic.errors import ConfigurationError
from budget_magic.settings import TABLE, Settings, evolve, rows
from budget_magic.settings.parsers import flag
from budget_magic.settings.row import Row, as_text

_EQUALS_QUOTE: Final = re.compile(r"(?<!\S)(--[\w-]+)=(?=[\"'])")


class Line(NamedTuple):
    """A parsed line of a magic."""

    task: str | None
    given: Mapping[str, Any]
    """Values by name of the setting."""
    wants_help: bool = False


def _variable(text: str) -> str:
    if not text.isidentifier() or keyword.iskeyword(text):
        raise ConfigurationError("give the name of a variable, such as outcome")
    return text


def _of_turn(name: str, help: str, **columns: Any) -> Row:  # noqa: A002 - names the column
    row = Row(name=name, option=name.replace("_", "-"), help=help, parse=flag, default=False)
    return row._replace(scope="turn", **columns)


SHOWN_CHARS: Final = 60
OPTIONS: Final[Mapping[str, Row]] = {
    **{row.name: row for row in TABLE.values() if row.option},
    **{row.name: row for row in (
        _of_turn("out", "bind the turn's Outcome to VAR in the notebook",
                 short="o", takes="VAR", parse=_variable, default=None),
        _of_turn("new", "start a new task under NAME, in place of the old one"),
        _of_turn("again", "run this cell's turn anew, although it has completed"),
        _of_turn("background", "return at once, with read-only tools; task.wait() waits"),
        _of_turn("release_held", "%claude_task only: release what cut-off requests hold against"
                 " the ceilings"),
    )},
}  # fmt: skip
"""Every option by the name of its setting, in the order of the help."""
SETTINGS: Final = frozenset(OPTIONS) & frozenset(TABLE)
"""Options that change a task; the others concern one cell."""
CELL: Final = frozenset(OPTIONS) - {"release_held"}
"""Options of `%%claude_task`."""
LINE: Final = SETTINGS | {"new", "release_held"}
"""Options of `%claude_task`."""
RESUME: Final = SETTINGS | {"out"}
"""Options of `%claude_resume`."""
FLAGS: Final[Mapping[str, Row]] = {
    **{f"--{row.option}": row for row in OPTIONS.values()},
    **{f"-{row.short}": row for row in OPTIONS.values() if row.short},
}
"""Options as they are typed."""


def split(line: str, expand: Callable[[str], str]) -> list[str]:
    """Split a line into words; `expand` expands `$x` and `{x}` in unquoted ones."""
    try:
        words = arg_split(_EQUALS_QUOTE.sub(r"\1 ", line), posix=False)
    except ValueError as error:
        raise ConfigurationError("a quote on this line is not closed") from error
    return [
        word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "\"'" else expand(word)
        for word in words
    ]


def parse(words: list[str], allowed: frozenset[str] = frozenset(OPTIONS)) -> Line:
    """Parse the words of a line; `allowed` are the names of settings that its magic takes."""
    names: list[str] = []
    given: dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in {"--help", "-h"}:
            return Line(None, {}, wants_help=True)
        if not word.startswith("-") or word == "-":
            names.append(word)
            continue
        key, equals, inline = word.partition("=")
        row = _find(key, allowed)
        if not row.takes:
            if equals:
                raise ConfigurationError(f"{key} takes no value; write it alone")
            given[row.name] = not row.default
            continue
        if not equals and not rest:
            raise ConfigurationError(f"{key} needs a value: {key} {row.takes}")
        value = _parse_value(row, key, inline if equals else rest.pop(0))
        if row.repeats:
            value = {**given.get(row.name, {}), **value}
        elif row.name in given:
            raise ConfigurationError(f"{key} is given twice; give it once")
        given[row.name] = value
    if len(names) > 1:
        raise ConfigurationError(
            f"{' '.join(names)!r} is more than a task name: the prompt goes below the first line"
            " of a %%claude_task cell"
        )
    return Line(names[0] if names else None, given)


def _find(key: str, allowed: frozenset[str]) -> Row:
    row = FLAGS.get(key)
    if row is None:
        whole = [flag for flag in FLAGS if key != "--" and flag.startswith(key)]
        close = whole or difflib.get_close_matches(key, FLAGS, n=1, cutoff=0.7)
        hint = f"did you mean {' or '.join(close)}?" if close else "--help lists the options"
        raise ConfigurationError(f"there is no option {key}; {hint}")
    if row.name not in allowed:
        magic = "%%claude_task" if row.name in CELL else "%claude_task NAME"
        raise ConfigurationError(f"{key} does not apply here; use it with {magic}")
    return row


def _parse_value(row: Row, key: str, text: str) -> Any:
    if row.name == "client":
        return text  # may be a name in the notebook: `apply` looks it up
    try:
        return row.parse(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"{key} {text}: {error}") from error


def apply(
    settings: Settings,
    given: Mapping[str, Any],
    *,
    lookup: Callable[[str], object],
) -> Settings:
    """Return the settings with the options of a line applied.

    Parameters
    ----------
    lookup
        Finds an object of the notebook by name; raises LookupError if there is none.

    Raises
    ------
    ConfigurationError
        The line names a client that is not in the notebook.
    """
    changes = {name: value for name, value in given.items() if name in SETTINGS}
    if "tags" in given:
        changes["tags"] = {**settings.tags, **given["tags"]}
    client = given.get("client")
    if client is not None and client not in OPTIONS["client"].values:
        try:
            found = lookup(client)
        except LookupError:
            raise ConfigurationError(
                f"--client {client}: there is no {client} in the notebook; create it first, or use"
                " auto or simulator"
            ) from None
        if isinstance(found, str):
            raise ConfigurationError(f"--client {client}: {client} is a text, not a client")
        changes |= {"client": found, "client_name": client}
    return evolve(settings, changes)


def typed(given: Mapping[str, Any]) -> str:
    """Return the settings among the values of a line, as options."""
    rows = [OPTIONS[name] for name in given if name in SETTINGS]
    texts = [f"--{row.option} {_as_typed(given[row.name])}" if row.takes else f"--{row.option}"
             for row in rows]  # fmt: skip
    return " ".join(texts)


def _as_typed(value: Any) -> str:
    pairs = [f"{key}={label}" for key, label in value.items()] if isinstance(value, dict) else []
    return shortened(",".join(pairs) or as_text(value))


def texts(settings: Settings) -> dict[str, str]:
    """Return the values of settings as options take them, by name of the setting."""
    found = {row.name: as_text(row.default) for row in rows(settings)}
    found["tools"] = ",".join(settings.tool_names) or "none"
    found["tags"] = ",".join(f"{key}={label}" for key, label in settings.tags.items())
    found["prices"] = ",".join(settings.prices)
    if not isinstance(settings.client, str):
        found["client"] = settings.client_name
    if not isinstance(settings.approve, str):
        found["approve"] = getattr(settings.approve, "__name__", "function")
    return found


def shortened(text: str) -> str:
    """Return a value on one line, cut to what a line of help or a table has room for."""
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARS else f"{line[:SHOWN_CHARS]}..."


def help_text(usage: str, allowed: frozenset[str], defaults: Mapping[str, str]) -> str:
    """Return what `--help` prints: the options that a magic takes.

    Parameters
    ----------
    usage
        How the magic is called, without its options.
    allowed
        The options that it takes, by name of the setting.
    defaults
        The defaults in force, by name of the setting.
    """
    rows = [row for row in OPTIONS.values() if row.name in allowed]
    lines = [f"{usage} [options]" if rows else usage]
    width = max((len(f"-x, --{row.option} {row.takes}") for row in rows), default=0)
    for row in rows:
        short = f"-{row.short}, " if row.short else "    "
        help_ = row.help_with(shortened(defaults.get(row.name, "")))
        lines.append(f"  {f'{short}--{row.option} {row.takes}':<{width}}  {help_}")
    return "\n".join(lines)
