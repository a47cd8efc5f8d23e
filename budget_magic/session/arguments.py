"""The arguments of `Task`: each setting of the table is one, with its type and its help."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from textwrap import fill, indent
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from budget_magic.session.bus import Sink
from budget_magic.session.session import Session
from budget_magic.settings import Settings, parsers
from budget_magic.settings.row import row

P = ParamSpec("P")
T = TypeVar("T")
WIDTH: Final = 92


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskArguments(Settings):
    """What `Task` takes."""

    name: str = field(
        kw_only=False,
        metadata=row(
            "letters, digits, `_`, `-` and `.`, at most 64, beginning with a letter", parsers.text
        ),
    )
    session: Session | None = field(
        default=None,
        metadata=row(
            "what it shares thread, ceilings and clients with; {none} is the process's default",
            parsers.text,
        ),
    )
    sinks: Iterable[Sink] = field(
        default=(), metadata=row("views that watch all its turns; see `subscribe`", parsers.text)
    )


def takes_arguments(
    of: Callable[P, TaskArguments],
) -> Callable[[Callable[Concatenate[T, ...], None]], Callable[Concatenate[T, P], None]]:
    """Give an `__init__` the signature and the documentation of the arguments."""

    def decorate(init: Any) -> Any:
        self = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        init.__signature__ = inspect.Signature([self, *inspect.signature(of).parameters.values()])
        init.__doc__ = f"{init.__doc__}\n\nParameters\n----------\n{_described()}\n"
        return init

    return decorate


def _described() -> str:
    parts = {part.name: part for part in fields(TaskArguments) if "row" in part.metadata}
    return "\n".join(
        f"{name} : {parts[name].type}\n"
        + indent(fill(parts[name].metadata["row"].python_help, WIDTH), "    ")
        for name in inspect.signature(TaskArguments).parameters
        if name in parts
    )
