"""Suggestions of what a user can do next; each host words them, and `str` does for Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from budget_magic.settings import TABLE

Action = Literal[
    "resume", "change", "use", "restart", "rephrase", "instruct", "release", "stop", "set", "price",
    "transcript",
]  # fmt: skip
Value = int | float | str | None
"""Value of a setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """One thing that a user can do next.

    `lead` and `effect` are words around it that are the same in every host. If both are empty, the
    host adds its own lead, such as "go on with".
    """

    action: Action
    """`resume`: resume the task's turn with `changes`.
    `change`: apply `changes` to the task.
    `use`: ask for the same again with `changes`.
    `restart`: start a new task under its name.
    `rephrase`, `instruct`: write another prompt in place of the last one, or after it.
    `release`: release what the task's requests of unknown cost hold.
    `set`: set `name`, an environment variable or a limit above the task.
    """
    task: str = ""
    changes: dict[str, Value] = field(default_factory=dict)
    """New values by setting; dollars are exact decimal strings, None opens a limit."""
    name: str = ""
    """What `set` sets; otherwise a setting whose new value the user chooses."""
    lead: str = ""
    """Such as "check the API key, then"."""
    effect: str = ""
    """Such as "gives room"."""

    def worded(self, words: Mapping[Action, tuple[str, str]], **slots: str) -> str:
        """Return the suggestion as a clause.

        `words` holds a lead and a command for each action; a command is a format string with the
        fields `task`, `name` and the `slots`.
        """
        lead, command = words[self.action]
        before = self.lead if self.lead or self.effect else lead
        command = command.format_map({"task": self.task, "name": self.name, **slots})
        return " ".join(filter(None, (before, command, self.effect)))

    def __str__(self) -> str:
        chosen = {self.name: "..."} if self.name and self.action != "set" else {}
        given = {name: _literal(name, value) for name, value in self.changes.items()} | chosen
        changes = ", ".join(f"{name}={value}" for name, value in given.items())
        arguments = ", ".join(
            f"ceilings=Ceilings({TABLE[name].argument.partition('.')[2]}={value})"
            if _is_ceiling(name)
            else f"{name}={value}"
            for name, value in given.items()
        )
        return self.worded(_PYTHON, changes=changes, arguments=arguments)


Word = Callable[[Suggestion], str]
"""Words a suggestion as a clause, commands in backticks."""

_PYTHON: Final[dict[Action, tuple[str, str]]] = {
    "resume": ("go on with", '`tasks()["{task}"].resume({changes})`'),
    "change": ("use", '`tasks()["{task}"].change({changes})`'),
    "use": ("use", "`{arguments}`"),
    "restart": ("start over with", '`Task("{task}")`'),
    "rephrase": ("", "rephrase the prompt and run it again"),
    "instruct": ("", "tell Claude in a new prompt what to do instead"),
    "release": ("use", '`tasks()["{task}"].release_held()`'),
    "stop": ("use", '`tasks()["{task}"].stop()`'),
    "set": ("set", "{name}"),
    "price": ("give a price with", "`prices={{...}}`"),
    "transcript": ("", 'tasks()["{task}"].turns[-1]'),
}


def _literal(name: str, value: Value) -> str:
    return str(value) if _is_ceiling(name) else repr(value)


def _is_ceiling(name: str) -> bool:
    return name in TABLE and TABLE[name].argument.startswith("ceilings.")
