"""`Outcome`: how a turn ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from functools import partial

from budget_magic.events import Reason, State
from budget_magic.meter import Spend
from budget_magic.report.labels import advice_of
from budget_magic.report.numbers import clock, dollars, exact, plural
from budget_magic.report.text import clean_text

SHOWN_LINES = 8
SHOWN_CHARS = 800
"""How much of the answer `print(outcome)` shows."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Outcome:
    """How a turn ended.

    `print(outcome)` shows it in a few lines, a notebook shows it as the turn's report, `to_dict`
    returns all of it. A pickled outcome keeps its report.
    """

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
        """Return the outcome as JSON values.

        Returns
        -------
        dict
            All fields but `bundle`, by name: `task`, `turn`, `state`, `reason`, `detail`, `text`,
            `budget`, `remaining`, and `spend` and `total` with the fields of `Spend`, under the
            names that the JSON of a saved turn has too. Dollars are exact decimal strings.
        """
        values = {one.name: getattr(self, one.name) for one in fields(self)[:-1]}
        return {**values, "spend": self.spend.as_json(), "total": self.total.as_json()}

    def __reduce__(self) -> tuple[object, ...]:
        """Return the pickled form, with the report as it is now, since the records stay here."""
        # Not `__getstate__`: dataclasses with slots replace it before Python 3.11.4.
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        if self.bundle is not None:
            values["bundle"] = partial(dict, self.bundle())
        return partial(Outcome, **values), ()

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def __repr__(self) -> str:
        figures = f"{plural(self.spend.steps, 'step')}, {self._cost}"
        return f"Outcome({self.task!r}, turn={self.turn}, {self._ending}, {figures})"

    def _repr_mimebundle_(self, **_kwargs: object) -> dict[str, object]:
        return {"text/plain": str(self)} if self.bundle is None else self.bundle()

    @property
    def _ending(self) -> str:
        # The detail says who interrupted it: a person or a time limit.
        says_all = self.state in {"completed", "interrupted"}
        return self.state if says_all else f"{self.state}: {self.reason}"

    @property
    def _cost(self) -> str:
        return "cost unknown" if self.spend.cost_usd is None else dollars(self.spend.cost_usd)

    def _lines(self) -> Iterator[str]:
        yield f"{self.task}, turn {self.turn}: {self._ending}"
        # The next line has the figures of a completed turn.
        said = advice_of(self.detail) if self.state == "completed" else self.detail
        if said:
            yield clean_text(said)
        spend = self.spend
        figures = [
            plural(spend.steps, "step"),
            plural(spend.tool_calls, "tool call"),
            f"{self._cost} in {clock(spend.elapsed_s)}",
        ]
        if spend.unconfirmed_usd:
            figures.append(f"{dollars(spend.unconfirmed_usd)} unconfirmed")
        yield ", ".join(figures)
        if self.budget is not None and self.remaining is not None:
            if self.remaining < 0:
                yield f"{exact(-self.remaining)} tokens over {exact(self.budget)}"
            else:
                yield f"{exact(self.remaining)} of {exact(self.budget)} tokens left"
        if self.text.strip():
            text = clean_text(self.text.strip())
            first = "\n".join(text.split("\n")[:SHOWN_LINES])[:SHOWN_CHARS].rstrip()
            yield f"\n{first}"
            if first != text:
                yield "… (all of it is in `.text`)"
