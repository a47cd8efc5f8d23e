"""Word suggestions as magics, and settings as options or traits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from budget_magic.settings import TABLE
from budget_magic.settings.row import as_text

if TYPE_CHECKING:
    from budget_magic.events import Suggestion
    from budget_magic.events.suggestion import Action, Value

_WORDS: Final[dict[Action, tuple[str, str]]] = {
    "resume": ("go on with", "`%claude_resume {task}{options}`"),
    "change": ("use", "`%claude_task {task}{options}`"),
    "use": ("use", "`{option}`"),
    "restart": ("start over with", "`--new`"),
    "rephrase": ("", "rephrase and run the cell"),
    "instruct": ("", "tell Claude in a new cell what to do instead"),
    "release": ("use", "`%claude_task {task} --release-held`"),
    "stop": ("use", "`%claude_stop {task}`"),
    "set": ("set", "{setting}"),
    "price": ("give a price with", "`%config ClaudeTaskMagics.prices`"),
    "transcript": ("", "t.events after t = %claude_task {task}"),
}


def word(suggestion: Suggestion) -> str:
    """Return a suggestion as a clause with the magic or option that does it."""
    name, changes = suggestion.name, suggestion.changes
    options = [f"{setting(one)} {_typed(one, changes[one])}" for one in changes]
    if suggestion.action == "set":
        name = f"`{setting(name)}`" if name in TABLE else name
    elif name:
        options.append(f"{setting(name)} {TABLE[name].takes}")
    behind = "".join(f" {option}" for option in options)
    return suggestion.worded(_WORDS, setting=name, option=" ".join(options), options=behind)


def setting(name: str) -> str:
    """Return the option of a setting, or its trait if it has no option."""
    option = TABLE[name].option
    return f"--{option}" if option else f"%config ClaudeTaskMagics.{name}"


def _typed(name: str, value: Value) -> str:
    """Return a value as an option takes it."""
    if value is None:
        return "none"
    if name == "budget" and isinstance(value, int):
        from budget_magic.report.numbers import compact  # noqa: PLC0415 - keeps loading cheap

        return compact(value)
    if name == "max_time" and isinstance(value, int | float):
        return as_text(float(value))
    return str(value)
