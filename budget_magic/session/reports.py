"""Fold a task's records turn by turn, so that a report can be shown at any moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from budget_magic.events import Live, Record, Suggestion, TurnStarted
from budget_magic.report.bundle import bundle, turn_json
from budget_magic.report.numbers import ceiling_dollars, exact
from budget_magic.report.turn_fold import TurnFold, advance
from budget_magic.report.view import view_turn
from budget_magic.report.view_models import TurnView
from budget_magic.session.bus import Bus
from budget_magic.session.redaction import redact_shown
from budget_magic.session.session import Session
from budget_magic.settings import Settings


class Reports:
    """Views and static reports of one task's turns; written on the loop's thread, read from any."""

    def __init__(
        self, task: str, bus: Bus, settings: Callable[[], Settings], session: Session
    ) -> None:
        self._task, self._bus, self._settings = task, bus, settings
        self._session = session
        self._folds: dict[int, TurnFold] = {}
        self.fold = TurnFold(task=task, word=self._word)
        """The fold of all records so far."""
        bus.subscribe(self)

    def _word(self, suggestion: Suggestion) -> str:
        return self._session.host.word(suggestion)

    def record(self, record: Record) -> None:
        """Fold one fact."""
        fact, last = record.fact, self.fold.reading.turn
        fold = self.fold
        if isinstance(fact, TurnStarted):
            fold = replace(fold, prices=self._settings().prices)
        fold = advance(fold, fact)
        turn = fold.reading.turn
        for earlier in range(fact.turn, turn):  # a hold may be released in a later turn
            self._folds[earlier] = advance(self._folds[earlier], fact)
        if turn != last and last in self._folds:
            # Only facts stay in memory; its steps are rendered again on demand.
            self._folds[last] = replace(self._folds[last], settled=())
        self._folds[turn] = self.fold = fold

    def live(self, event: Live) -> None:
        """Ignore streaming events."""

    def bundle(self, turn: int | None = None) -> dict[str, object]:
        """Return the static report of a turn, by default the last one, by MIME type."""
        number = turn or self.fold.reading.turn
        if not number:
            return {"text/plain": self._not_run_yet()}
        shown = bundle(self.view(number), turn_json(self._folds[number]))
        return {kind: redact_shown(form, self._bus.redactor.redact) for kind, form in shown.items()}

    def view(self, turn: int) -> TurnView:
        """Return the current view of a turn."""
        save_transcript = self._session.defaults.save_transcript
        return view_turn(self._folds[turn], save_transcript=save_transcript)

    def _not_run_yet(self) -> str:
        settings = self._settings()
        cost = settings.ceilings.cost_usd
        at_most = "no cost ceiling" if cost is None else f"at most {ceiling_dollars(cost)}"
        budget = "no budget" if settings.budget is None else f"budget {exact(settings.budget)}"
        return self._bus.redactor.redact(
            f"{self._task}: not run yet. {settings.model}, effort {settings.effort}, {budget},"
            f" {at_most}; tools: {', '.join(settings.tool_names)}"
        )
