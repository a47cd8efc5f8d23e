"""From what was typed to settings of a task, and from `%config` to the defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from budget_magic.errors import ConfigurationError
from budget_magic.events import Ceilings
from budget_magic.session.clients import AUTO, SIMULATOR
from budget_magic.session.settings import Settings
from budget_magic.tools import split_names

_CEILINGS = {
    "max-cost": "cost_usd",
    "max-total-tokens": "total_tokens",
    "max-steps": "steps",
    "max-time": "elapsed_s",
}
_PLAIN = {
    "budget": "budget",
    "effort": "effort",
    "model": "model",
    "max-tokens": "max_tokens",
    "approve": "approve",
    "root": "root",
    "compact-at": "compact_at",
    "inference-geo": "inference_geo",
}


def apply(
    settings: Settings,
    given: Mapping[str, Any],
    *,
    lookup: Callable[[str], object],
    has_run: bool,
) -> Settings:
    """Return the settings with the options of a line put in.

    Parameters
    ----------
    settings
        In force so far.
    given
        Values by option name, as `options.parse` reads them.
    lookup
        Finds an object of the notebook by name; raises LookupError where there is none.
    has_run
        Whether the task has a turn already: its system prompt is fixed then.

    Raises
    ------
    ConfigurationError
        `--system` on a later turn, or a client that the notebook does not have.
    """
    changes: dict[str, Any] = {
        field: given[option] for option, field in _PLAIN.items() if option in given
    }
    if any(option in given for option in _CEILINGS):
        changes["ceilings"] = _ceilings(settings.ceilings, given)
    if "tools" in given:
        changes["tools"] = tuple(split_names(given["tools"]))
    if "tag" in given:
        changes["tags"] = {**settings.tags, **dict(given["tag"])}
    if "no-wrap-up" in given:
        changes["wrap_up"] = False
    if "system" in given:
        if has_run and given["system"] != settings.system:
            raise ConfigurationError(
                "--system is for a task's first turn: Claude's thinking is bound to it;"
                " use --new to start afresh"
            )
        changes["system"] = given["system"]
    if "client" in given:
        changes |= _client(given["client"], lookup)
    return replace(settings, **changes)


def _ceilings(before: Ceilings, given: Mapping[str, Any]) -> Ceilings:
    values = {field: getattr(before, field) for field in _CEILINGS.values()}
    values |= {field: given[option] for option, field in _CEILINGS.items() if option in given}
    return Ceilings(**values)


def _client(name: str, lookup: Callable[[str], object]) -> dict[str, Any]:
    if name in {AUTO, SIMULATOR}:
        return {"client": name}
    try:
        return {"client": lookup(name), "client_name": name}
    except LookupError:
        raise ConfigurationError(
            f"--client {name}: there is no {name} in the notebook; make it first, or use auto or"
            " simulator"
        ) from None
