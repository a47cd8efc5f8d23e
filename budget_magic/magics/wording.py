"""IPython's words: what a user can do is a magic, a setting is an option or a trait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from budget_magic.events import Suggestion
    from budget_magic.events.suggestion import Action, Value

_TRAITS: Final = frozenset({"session_cost", "session_tokens"})
"""Settings that a suggestion may name and that no option changes."""
_WORDS: Final[dict[Action, tuple[str, str]]] = {
    "resume": ("go on with", "`%claude_resume {task}{options}`"),
    "change": ("use", "`%claude_task {task}{options}`"),
    "use": ("use", "`{option}`"),
    "restart": ("start afresh with", "`--new`"),
    "rephrase": ("", "rephrase and run the cell"),
    "instruct": ("", "tell Claude in a new cell what to do instead"),
    "release": ("use", "`%claude_task {task} --release-held`"),
    "stop": ("use", "`%claude_stop {task}`"),
    "set": ("set", "{setting}"),
    "price": ("give a price with", "`%config ClaudeTaskMagics.prices`"),
    "transcript": ("", "t = %claude_task {task}; t.turns[-1]"),
}


def word(suggestion: Suggestion) -> str:
    """Return the magic or option that does it, with the words around it."""
    name, changes = suggestion.name, suggestion.changes
    options = [f"{setting(one)} {_typed(one, changes[one])}" for one in changes]
    if name in _TRAITS:
        name = f"`{setting(name)}`"
    elif name and suggestion.action != "set":
        options.append(f"{setting(name)} {_placeholder(name)}")
    return suggestion.worded(
        _WORDS,
        setting=name,
        option=" ".join(options),
        options="".join(f" {option}" for option in options),
    )


def setting(name: str) -> str:
    """Return the option or trait that a setting is."""
    return f"%config ClaudeTaskMagics.{name}" if name in _TRAITS else f"--{name.replace('_', '-')}"


def _typed(name: str, value: Value) -> str:
    """Return a value as an option takes it."""
    if value is None:
        return "none"
    if name == "budget" and isinstance(value, int):
        from budget_magic.report.numbers import compact  # noqa: PLC0415 - keeps loading cheap

        return compact(value)
    if name == "max_time" and isinstance(value, int | float):
        return f"{value // 60:g}m" if value % 60 == 0 else f"{value:g}s"
    return str(value)


def _placeholder(name: str) -> str:
    from budget_magic.magics.options import OPTIONS  # noqa: PLC0415 - keeps loading cheap

    option = name.replace("_", "-")
    return next(one.value for one in OPTIONS if one.name == option)
