"""The history of one task: a fold of its facts into everything its next request depends on."""

from __future__ import annotations

from typing import Any

from budget_magic.events import Fact, NoticePosted, StepFinished, ToolsOffered, TurnStarted
from budget_magic.loop.conversation import Conversation
from budget_magic.loop.turn_text import TurnText
from budget_magic.meter.estimate import Ratios


class History:
    """Everything that a task's next request depends on, except its accounts and client."""

    def __init__(self) -> None:
        self.conversation = Conversation()
        self.definitions: tuple[dict[str, Any], ...] | None = None
        """The tools that requests offer; None before the first turn."""
        self.ratios = Ratios()
        self.notices: set[str] = set()
        self.text = TurnText()
        """What Claude said in the last turn."""
        self._before: dict[int, Conversation] = {}
        """The conversation before each turn."""

    def take(self, fact: Fact) -> None:
        """Fold one more fact."""
        self.text.take(fact)
        match fact:
            case ToolsOffered():
                self.definitions = fact.definitions
            case TurnStarted():
                self._begin_turn(fact)
            case NoticePosted():
                self.notices.add(fact.text)
            case StepFinished() if fact.usage_known:
                self.ratios = self.ratios.calibrated(
                    fact.streamed_characters, fact.usage, blocks=fact.streamed_blocks
                )
        self.conversation.take(fact)

    def _begin_turn(self, fact: TurnStarted) -> None:
        if fact.rewinds_to is not None:
            spent = self.conversation.spent
            self.conversation = self._before[fact.rewinds_to].copy()
            self.conversation.spent = spent
        if not fact.resumed:
            self._before[fact.turn] = self.conversation.copy()
            self.conversation.prompt = fact.prompt_sent
        self.conversation.begin_turn(fact.settings, self.definitions or ())
