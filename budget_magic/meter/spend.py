"""Spend and Outcome: what was used, and how a turn ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from decimal import Decimal
from functools import partial
from typing import Any

from budget_magic.events import Reason, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What was used, under the API's names; sums of exact figures."""

    steps: int = 0
    """Completed replies; failed attempts are not steps."""
    tool_calls: int = 0
    """Calls that ran."""
    input_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0
    """The part of `output_tokens` that is thinking."""
    tool_result_tokens: int = 0
    """Tokens of tool results, measured from prompt sizes, without results never sent."""
    budget_tokens: int = 0
    """What counts against the task budget: output tokens and tool-result tokens."""
    cost_usd: Decimal | None = Decimal(0)
    """US dollars by the API's own usage figures; None if a price is unknown."""
    unconfirmed_usd: Decimal = Decimal(0)
    """Beside `cost_usd`: worst case of requests whose stream broke. Ceilings count both."""
    unconfirmed_tokens: int = 0
    """The same in tokens that count against the token ceiling."""
    elapsed_s: float = 0.0
    """Running time in seconds, waiting for a person or for room excluded."""

    @property
    def ceiling_tokens(self) -> int:
        """Tokens that count against the token ceiling: input, cache writes and output."""
        return self.input_tokens + self.cache_creation_input_tokens + self.output_tokens

    @property
    def billed_tokens(self) -> int:
        """All tokens on the bill, including cache reads."""
        return self.ceiling_tokens + self.cache_read_input_tokens

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON values; dollars are exact decimal strings."""
        return {
            name: str(value) if isinstance(value, Decimal) else value
            for name, value in asdict(self).items()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a turn ended."""

    task: str
    turn: int
    state: State
    reason: Reason
    detail: str
    """One sentence with the way out, in the host's words."""
    text: str
    """Final text of the assistant; the turn's text so far if a last answer had none. A reply that
    was cut off comes last, followed by the line `[cut off here]`."""
    spend: Spend
    """What this turn used."""
    total: Spend
    """What the task used over all its turns."""
    budget: int | None
    """The task budget in tokens; None without one."""
    remaining: int | None
    """Left of it by our own meter; may be negative."""
    bundle: Callable[[], dict[str, object]] | None = field(default=None, repr=False, compare=False)
    """Returns the static report by MIME type; None if nothing was recorded."""

    def to_dict(self) -> dict[str, object]:
        """Return JSON values by field, without `bundle`; dollars are exact decimal strings."""
        values = {one.name: getattr(self, one.name) for one in fields(self)[:-1]}
        return {**values, "spend": self.spend.as_json(), "total": self.total.as_json()}

    def __getstate__(self) -> list[object]:
        """Return the pickled state, with the report as it is now, since the records stay here."""
        *values, _ = (getattr(self, one.name) for one in fields(self))
        return [*values, None if self.bundle is None else partial(dict, self.bundle())]

    def _repr_mimebundle_(self, **_kwargs: object) -> dict[str, object]:
        return {"text/plain": repr(self)} if self.bundle is None else self.bundle()
