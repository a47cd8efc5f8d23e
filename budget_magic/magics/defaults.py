"""`%config ClaudeTaskMagics`: every default as a trait, checked when it is set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import traitlets
from traitlets import All, observe
from traitlets.config import Configurable

from budget_magic.errors import ConfigurationError
from budget_magic.events import Ceilings
from budget_magic.magics import options
from budget_magic.models import user_prices
from budget_magic.session.clients import AUTO, SIMULATOR
from budget_magic.session.settings import DEFAULTS, Settings, as_tools
from budget_magic.tools import split_names
from budget_magic.tools.approval import parse_policy


class Checked(traitlets.TraitType[Any, Any]):
    """A trait whose value is read as the option of the same name reads it.

    Parameters
    ----------
    default
        Value to start from.
    read
        Turns what was set into the value; raises ValueError or ConfigurationError.
    told
        What `%config` says about it.
    """

    def __init__(self, default: Any, read: Callable[[Any], Any], told: str) -> None:
        self._read = read
        super().__init__(default_value=default, allow_none=True, help=told)
        self.tag(config=True)

    def validate(self, obj: Any, value: Any) -> Any:  # noqa: ARG002 - traitlets' signature
        """The value, read."""
        try:
            return self._read(value)
        except (ValueError, ConfigurationError) as error:
            raise traitlets.TraitError(f"{self.name} = {value!r}: {error}") from None


def _number(read: Callable[[str], Any]) -> Callable[[Any], Any]:
    """Read a number, a text as an option has it, or None for "none"."""

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


def _prices(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError('give {"MODEL": {"input": 4, ...}}')  # noqa: TRY004 - likewise
    for model, row in value.items():
        user_prices(str(model), row)
    return value


_FIRST: Final = Settings()
_ON: Final = True


class TaskDefaults(Configurable):
    """The defaults of both doors, cell and Python, as traits."""

    budget = Checked(_FIRST.budget, _number(options.tokens_or_none), "task budget in tokens")
    effort = Checked(_FIRST.effort, _one_of(*options.EFFORTS), "effort level")
    model = Checked(_FIRST.model, _text, "model id")
    max_tokens = Checked(None, _reply_tokens, "cap of one response; None: 32k, at xhigh, max 64k")
    max_cost = Checked(_FIRST.ceilings.cost_usd, _number(options.usd_or_none), "ceiling in USD")
    max_total_tokens = Checked(
        _FIRST.ceilings.total_tokens, _number(options.tokens_or_none), "ceiling in tokens"
    )
    max_steps = Checked(
        _FIRST.ceilings.steps, _number(options.count_or_none), "steps of one turn at most"
    )
    max_time = Checked(_FIRST.ceilings.elapsed_s, _seconds, "running time of one turn at most")
    tools = Checked(_FIRST.tools, _tools, "files, functions of the notebook, or none")
    approve = Checked(_FIRST.approve, parse_policy, "ask, all, none, or a function")
    root = Checked(_FIRST.root, _text, "the only folder that file tools may touch")
    system = Checked(None, _text_or_none, "system prompt of new tasks; None: a short built-in one")
    client = Checked(_FIRST.client, _one_of(AUTO, SIMULATOR), "auto or simulator")
    prices = Checked({}, _prices, "USD per million tokens by model id; fill gaps and override")
    session_cost = Checked(
        None, _number(options.usd_or_none), "ceiling of all tasks; None: ANTHROPIC_COST_BUDGET"
    )
    session_tokens = Checked(
        None, _number(options.tokens_or_none), "likewise in tokens; None: ANTHROPIC_TOKEN_BUDGET"
    )
    save_transcript = Checked(_ON, _flag, "False: saved outputs hold only figures and answer")

    @observe(All)
    def _changed(self, _change: object) -> None:
        self.put_in_force()

    def put_in_force(self) -> None:
        """Make the traits the defaults of this process."""
        DEFAULTS.settings = Settings(
            budget=self.budget,
            effort=self.effort,
            model=self.model,
            max_tokens=self.max_tokens,
            ceilings=Ceilings(
                cost_usd=self.max_cost,
                total_tokens=self.max_total_tokens,
                steps=self.max_steps,
                elapsed_s=self.max_time,
            ),
            tools=tuple(self.tools),
            approve=self.approve,
            root=self.root,
            system=self.system,
            client=self.client,
            prices={model: user_prices(model, row) for model, row in self.prices.items()},
        )
        DEFAULTS.session_cost_usd = self.session_cost
        DEFAULTS.session_tokens = self.session_tokens
        DEFAULTS.save_transcript = self.save_transcript
