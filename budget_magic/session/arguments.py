"""The arguments of `Task`, with types and help from the table of settings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from textwrap import fill
from typing import Any, Concatenate, ParamSpec, TypeVar

from budget_magic.session.bus import Sink
from budget_magic.session.session import Session
from budget_magic.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskArguments(Settings):
    """The arguments of `Task`."""

    name: str = field(kw_only=False)
    session: Session | None = None
    sinks: Iterable[Sink] = ()


def takes_arguments(
    arguments: Callable[P, TaskArguments],
) -> Callable[[Callable[Concatenate[T, ...], None]], Callable[Concatenate[T, P], None]]:
    """Give an `__init__` the signature of the arguments, and add the settings to its docstring."""

    def decorate(init: Any) -> Any:
        own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        taken = inspect.signature(arguments).parameters.values()
        init.__signature__ = inspect.Signature([own, *taken])
        init.__doc__ = "\n".join([inspect.cleandoc(init.__doc__), *_settings_help()])
        return init

    return decorate


def _settings_help() -> Iterable[str]:
    for part in fields(Settings):
        if "row" in part.metadata:
            text = part.metadata["row"].python_help
            yield f"{part.name} : {part.type}"
            yield fill(text, width=96, initial_indent="    ", subsequent_indent="    ")
