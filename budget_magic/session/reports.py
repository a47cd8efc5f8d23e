"""What can be shown of a task at any moment, made from its records."""

from __future__ import annotations

from collections.abc import Callable

from budget_magic.events import Record, ToolFinished
from budget_magic.meter import Reading, read
from budget_magic.report.bundle import bundle, turn_json
from budget_magic.report.numbers import ceiling_dollars, exact
from budget_magic.report.view import view_turn
from budget_magic.report.view_models import LiveState, TurnView
from budget_magic.session.bus import Bus
from budget_magic.session.session import Session
from budget_magic.session.settings import Settings


class Reports:
    """Views and static reports of one task's turns.

    Parameters
    ----------
    task
        Its name.
    bus
        Its records and meter.
    settings
        Gives the settings in force.
    session
        Its defaults say what saved outputs hold.
    """

    def __init__(
        self, task: str, bus: Bus, settings: Callable[[], Settings], session: Session
    ) -> None:
        self._task, self._bus, self._settings = task, bus, settings
        self._session = session

    def bundle(self, turn: int | None = None) -> dict[str, object]:
        """Return the static report of a turn by MIME type; of the last one where none is named."""
        number = turn or self._bus.reading.turn
        if not number:
            return {"text/plain": self._not_run_yet()}
        records = [record for record in list(self._bus.records) if record.fact.turn == number]
        return bundle(self.view(number), turn_json(self._task, records, self.reading(number)))

    def view(self, turn: int, live: LiveState | None = None) -> TurnView:
        """Return what a reader of a turn is shown at this moment."""
        return view_turn(
            self._task,
            self._records_up_to(turn),
            self.reading(turn),
            live=live,
            save_transcript=self._session.defaults.save_transcript,
            prices=self._settings().prices,
        )

    def reading(self, turn: int) -> Reading:
        """Return the meter as it stood at the end of a turn, or now while that runs."""
        if turn == self._bus.reading.turn:
            return self._bus.reading
        return read(record.fact for record in self._records_up_to(turn))

    def whole_result(self, call_id: str) -> str | None:
        """Return the whole answer to a call, as it was sent; None where there is none."""
        for record in reversed(list(self._bus.records)):
            if isinstance(record.fact, ToolFinished) and record.fact.call_id == call_id:
                return record.fact.content
        return None

    def _records_up_to(self, turn: int) -> list[Record]:
        return [record for record in list(self._bus.records) if record.fact.turn <= turn]

    def _not_run_yet(self) -> str:
        settings = self._settings()
        cost = settings.ceilings.cost_usd
        at_most = "no cost ceiling" if cost is None else f"at most {ceiling_dollars(cost)}"
        budget = "no budget" if settings.budget is None else f"budget {exact(settings.budget)}"
        return self._bus.redactor.redact(
            f"{self._task}: not run yet. {settings.model}, effort {settings.effort}, {budget},"
            f" {at_most}; tools: {', '.join(settings.tool_names)}"
        )
