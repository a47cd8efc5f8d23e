"""What a user can do next, as data; each host words it, and `str` does so for Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from budget_magic.settings import TABLE

Action = Literal[
    "resume", "change", "use", "restart", "rephrase", "instruct", "release", "stop", "set", "price",
    "transcript",
]  # fmt: skip
Value = int | float | str | None
"""Of a setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """One thing that a user can do next.

    `lead` and `effect` are the words around it that are the same in every host. A host puts words
    of its own in front, such as "go on with", where a suggestion has neither.
    """

    action: Action
    """`resume`: let the task's turn go on, with `changes`.
    `change`: put `changes` in force in the task.
    `use`: ask for the same again, with `changes`.
    `restart`: start the task anew under its name.
    `rephrase`, `instruct`: write another prompt in place of the last one, or after it.
    `release`: release what the task's requests of unknown cost hold.
    `stop`: stop the task's turn.
    `set`: give a value to `name`, an environment variable or a limit above the task.
    `price`: give the prices of a model.
    `transcript`: look at the turn's transcript.
    """
    task: str = ""
    changes: dict[str, Any] = field(default_factory=dict)
    """New values by name of the setting; dollars are exact decimal strings, None opens a limit."""
    name: str = ""
    """What `set` sets; elsewhere a setting whose new value the user chooses."""
    lead: str = ""
    """What leads to it: "check the API key, then"."""
    effect: str = ""
    """What it brings: "gives room"."""

    def worded(self, words: Mapping[Action, tuple[str, str]], **slots: str) -> str:
        """Return the suggestion as a clause.

        Parameters
        ----------
        words
            By action what leads to it, and what is to be done: a format string whose fields are
            `task`, `name` and the `slots`.
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
"""Says what a user can do as a clause, commands in backticks."""

_PYTHON: Final[dict[Action, tuple[str, str]]] = {
    "resume": ("go on with", '`tasks()["{task}"].resume({changes})`'),
    "change": ("use", '`tasks()["{task}"].change({changes})`'),
    "use": ("use", "`{arguments}`"),
    "restart": ("start afresh with", '`Task("{task}")`'),
    "rephrase": ("", "rephrase the prompt and run it again"),
    "instruct": ("", "tell Claude in a new prompt what to do instead"),
    "release": ("use", '`tasks()["{task}"].release_held()`'),
    "stop": ("use", '`tasks()["{task}"].stop()`'),
    "set": ("set", "{name}"),
    "price": ("give a price with", "`Task.change(prices=...)`"),
    "transcript": ("", 'tasks()["{task}"].turns[-1]'),
}


def _literal(name: str, value: Value) -> str:
    return str(value) if _is_ceiling(name) else repr(value)


def _is_ceiling(name: str) -> bool:
    return name in TABLE and TABLE[name].argument.startswith("ceilings.")
