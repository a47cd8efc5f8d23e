"""How the values of `%config ClaudeTaskMagics` are read, and what they are at first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from budget_magic.events import Ceilings
from budget_magic.loop.stuck import StuckRule
from budget_magic.magics import options
from budget_magic.models import user_prices
from budget_magic.session.clients import AUTO, SIMULATOR
from budget_magic.session.settings import CARRIES, Defaults, Settings, as_tools
from budget_magic.tools import split_names
from budget_magic.tools.approval import parse_policy


def _or_none(read: Callable[[str], Any]) -> Callable[[Any], Any]:
    """Read a value as its option does, with None for "none"."""

    def check(value: Any) -> Any:
        return read("none" if value is None else str(value))

    return check


def _seconds(value: Any) -> Any:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return options.seconds_or_none(
        "none" if value is None else f"{value}s" if plain else str(value)
    )


def _one_of(*choices: str) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if value not in choices:
            raise ValueError(f"choose one of {', '.join(choices)}")
        return value

    return check


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("give a text")
    return value


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def _reply_tokens(value: Any) -> int | None:
    return None if value is None else options.tokens(str(value))


def _tools(value: Any) -> tuple[Any, ...]:
    return tuple(split_names(value)) if isinstance(value, str) else as_tools(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("give True or False")  # noqa: TRY004 - becomes a TraitError
    return value


def _names(value: Any) -> tuple[str, ...]:
    names = (value,) if isinstance(value, str) else value or ()
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ValueError('give names of variables, such as ["MY_NAME"]')
    return tuple(names)


def _prices(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError('give {"MODEL": {"input": 4, ...}}')  # noqa: TRY004 - likewise
    for model, row in value.items():
        user_prices(str(model), row)
    return value


def _stuck_rule(value: Any) -> tuple[int, int] | None:
    if value is None:
        return None
    try:
        repeats, among = (int(part) for part in value)
    except (TypeError, ValueError):
        raise ValueError("give (repeats, among), such as (3, 9), or None") from None
    if not 1 < repeats <= among:
        raise ValueError("repeats must be at least 2 and at most among")
    return repeats, among


def _as_rule(value: tuple[int, int] | None) -> StuckRule | None:
    return None if value is None else StuckRule(repeats=value[0], among=value[1])


READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "budget": _or_none(options.tokens_or_none),
    "effort": _one_of(*options.EFFORTS),
    "model": _text,
    "max_tokens": _reply_tokens,
    "max_cost": _or_none(options.usd_or_none),
    "max_total_tokens": _or_none(options.tokens_or_none),
    "max_steps": _or_none(options.count_or_none),
    "max_time": _seconds,
    "tools": _tools,
    "approve": parse_policy,
    "root": _text,
    "system": _text_or_none,
    "client": _one_of(AUTO, SIMULATOR),
    "stuck_rule": _stuck_rule,
    "compact_at": _or_none(options.tokens_or_none),
    "carry": _one_of(*CARRIES),
    "inference_geo": _or_none(options.region_or_none),
    "prices": _prices,
    "session_cost": _or_none(options.usd_or_none),
    "session_tokens": _or_none(options.tokens_or_none),
    "secrets": _names,
    "save_transcript": _flag,
}
"""Turns what was set into a value; raises ValueError or ConfigurationError."""

_SETTINGS: Final = Settings()
FIRST: Final[dict[str, Any]] = {
    "budget": _SETTINGS.budget,
    "effort": _SETTINGS.effort,
    "model": _SETTINGS.model,
    "max_tokens": _SETTINGS.max_tokens,
    "max_cost": _SETTINGS.ceilings.cost_usd,
    "max_total_tokens": _SETTINGS.ceilings.total_tokens,
    "max_steps": _SETTINGS.ceilings.steps,
    "max_time": _SETTINGS.ceilings.elapsed_s,
    "tools": _SETTINGS.tools,
    "approve": _SETTINGS.approve,
    "root": _SETTINGS.root,
    "system": _SETTINGS.system,
    "client": _SETTINGS.client,
    "stuck_rule": (StuckRule().repeats, StuckRule().among),
    "compact_at": _SETTINGS.compact_at,
    "carry": _SETTINGS.carry,
    "inference_geo": _SETTINGS.inference_geo,
    "prices": {},
    "session_cost": None,
    "session_tokens": None,
    "secrets": (),
    "save_transcript": True,
}
"""The documented defaults."""


def as_defaults(values: Mapping[str, Any]) -> Defaults:
    """Return the traits' values as the session takes them."""
    return Defaults(
        settings=Settings(
            budget=values["budget"],
            effort=values["effort"],
            model=values["model"],
            max_tokens=values["max_tokens"],
            ceilings=Ceilings(
                cost_usd=values["max_cost"],
                total_tokens=values["max_total_tokens"],
                steps=values["max_steps"],
                elapsed_s=values["max_time"],
            ),
            tools=tuple(values["tools"]),
            approve=values["approve"],
            root=values["root"],
            system=values["system"],
            client=values["client"],
            stuck_rule=_as_rule(values["stuck_rule"]),
            compact_at=values["compact_at"],
            carry=values["carry"],
            inference_geo=values["inference_geo"],
            prices={model: user_prices(model, row) for model, row in values["prices"].items()},
        ),
        session_cost_usd=values["session_cost"],
        session_tokens=values["session_tokens"],
        save_transcript=values["save_transcript"],
        secrets=tuple(values["secrets"]),
    )
