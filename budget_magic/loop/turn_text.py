"""What Claude has said in a turn: its replies, and the text of one that was cut off."""

from __future__ import annotations

from dataclasses import dataclass, field

from budget_magic.events import (
    CUT_OFF_MARK,
    AttemptFailed,
    Fact,
    HistoryRewritten,
    MessageAppended,
    MessagesWithdrawn,
    TurnStarted,
)


@dataclass(slots=True)
class TurnText:
    """A fold of facts into the texts of the last turn; summaries of the history are left out."""

    replies: list[str] = field(default_factory=list)
    """One text per reply; may be empty."""
    streamed: str = ""
    """What had streamed of a reply that did not end, unless a reply came after it."""
    _asked_summary: bool = False
    """Whether the last user message asked for a summary."""
    _is_answered: bool = False
    """Whether it was answered."""

    def take(self, fact: Fact) -> None:
        """Fold one more fact."""
        match fact:
            case TurnStarted(resumed=False):
                self.replies, self.streamed, self._is_answered = [], "", False
            case MessageAppended(message={"role": "assistant"}):
                texts = [one["text"] for one in fact.message["content"] if one["type"] == "text"]
                self.replies.append("".join(texts).strip())
                self.streamed, self._is_answered = "", True
            case MessageAppended(message={"role": "user"}):
                self._asked_summary = fact.purpose == "summary_request"
                self._is_answered = False
            case HistoryRewritten() | MessagesWithdrawn() if self._asked_summary:
                if self._is_answered:
                    self.replies.pop()
                self._asked_summary = False
            case AttemptFailed(streamed_text=text) if text.strip() and not self._waits_for_summary:
                self.streamed = text.strip()

    @property
    def _waits_for_summary(self) -> bool:
        return self._asked_summary and not self._is_answered

    def so_far(self) -> str:
        """Return everything said so far; a reply that was cut off comes last and is marked."""
        cut_off = [self.streamed, CUT_OFF_MARK] if self.streamed else []
        return "\n\n".join([*filter(None, self.replies), *cut_off])

    def final(self, *, is_complete: bool) -> str:
        """Return the text that a turn ends with: its last reply, or all if an early end left none.

        `is_complete` is true if the turn came to its natural end.
        """
        last = self.replies[-1] if self.replies else ""
        if is_complete or (last and not self.streamed):
            return last
        return self.so_far()
