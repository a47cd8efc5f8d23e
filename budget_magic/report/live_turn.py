"""Track a running turn: the last fold of its records, and what streams."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from budget_magic import events
from budget_magic.meter import Kinds
from budget_magic.meter.cost import MTOK, price_table
from budget_magic.meter.estimate import Ratios
from budget_magic.report.text import clean_piece, clean_text
from budget_magic.report.turn_fold import TurnFold, advance
from budget_magic.report.view import view_turn
from budget_magic.report.view_models import LiveState, TurnView

_NAME_CHARS: Final = 80


@dataclass(slots=True, kw_only=True)
class StreamedBlock:
    """A content block as far as it has streamed; it only grows."""

    id: int
    """Number among all blocks that streamed in the turn, from 1."""
    step: int
    index: int
    """Index in the reply's content."""
    kind: events.DeltaKind
    name: str
    """Name of a called tool, cleaned."""
    pieces: list[str] = field(default_factory=list)
    """Its text, cleaned."""
    held: str = ""
    """The end of the text that cannot be cleaned before more of it comes."""
    characters: int = 0
    ended: bool = False
    is_void: bool = False
    """Whether the attempt failed, so that the block does not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A turn at one moment."""

    fold: TurnFold
    live: LiveState
    blocks: tuple[StreamedBlock, ...]
    """What streamed of the reply under way and of the one before it."""

    def view(self) -> TurnView:
        """Return the view of the turn."""
        return view_turn(self.fold, self.live)


class LiveTurn:
    """A sink that keeps streaming text; written on the loop's thread, read from any.

    Parameters
    ----------
    fold
        Returns the fold of the task's records, including the one that this sink handles now.
    ratios
        Returns the current characters per token.
    now
        A monotonic clock in seconds.
    """

    def __init__(
        self,
        fold: Callable[[], TurnFold],
        ratios: Callable[[], Ratios],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._latest, self._ratios, self._now = fold, ratios, now
        self.fold = fold()
        """The fold after the last record."""
        self.news = threading.Event()
        """Set at each record and each piece; the thread that waits for it clears it."""
        self._lock = threading.Lock()
        self._blocks: dict[int, StreamedBlock] = {}
        self._replied: tuple[StreamedBlock, ...] = ()
        self._last_id = 0
        self._is_stopping = False
        self._doing = "thinking"
        self._step = 1
        self._result_characters = 0
        self._retry_at_s: float | None = None
        self._run_s = self._step_began_s = 0.0
        self._running_since_s: float | None = None

    def starting(self, start: events.TurnStarted) -> None:
        """Show a turn that is being prepared; `start` says what is known of it."""
        with self._lock:
            self.fold, self._doing = advance(self._latest(), start), "starting"

    def stopping(self) -> None:
        """Show that a person asked the turn to stop."""
        self._is_stopping = True

    def record(self, record: events.Record) -> None:
        """Handle one fact."""
        with self._lock:
            self.fold = self._latest()
            facts = self.fold.facts
            self._take(record.fact)
            # The clock of the turn stops while it waits for a person or for room.
            waits = facts.finished or facts.waiting or facts.waiting_for_room
            self._run_s = self._elapsed_s()
            self._running_since_s = None if waits else self._now()
        self.news.set()

    def live(self, event: events.Live) -> None:
        """Handle one streaming event."""
        with self._lock:
            if isinstance(event, events.BlockStarted):
                for block in self._blocks.values():
                    block.ended = True
                self._begin(event, event.name)
                self._doing = event.name or ("writing" if event.kind == "text" else event.kind)
                self._retry_at_s = None
            else:
                block = self._blocks.get(event.block) or self._begin(event)
                piece, block.held = clean_piece(block.held + event.text)
                block.pieces.append(piece)
                block.characters += len(event.text)
        if not self.news.is_set():
            self.news.set()

    def look(self) -> Look:
        """Return the turn at this moment."""
        with self._lock:
            blocks = (*self._replied, *self._blocks.values())
            return Look(fold=self.fold, live=self._state(), blocks=blocks)

    def _begin(self, event: events.Live, name: str = "") -> StreamedBlock:
        self._last_id += 1
        self._blocks[event.block] = block = StreamedBlock(
            id=self._last_id,
            step=event.step,
            index=event.block,
            kind=event.kind,
            name=clean_text(name)[:_NAME_CHARS],
        )
        return block

    def _state(self) -> LiveState:
        ratios, now_s, run_s = self._ratios(), self._now(), self._elapsed_s()
        tokens: dict[events.DeltaKind, int] = {"thinking": 0, "text": 0, "call": 0}
        for block in self._blocks.values():
            tokens[block.kind] += ratios.block_tokens(block.kind, block.characters)
        return LiveState(
            step=self._step,
            doing="stopping" if self._is_stopping else self._doing,
            elapsed_s=run_s,
            step_elapsed_s=max(run_s - self._step_began_s, 0.0),
            has_begun=bool(self._blocks),
            streaming=Kinds(
                thinking=tokens["thinking"],
                calls=tokens["call"],
                text=tokens["text"],
                results=ratios.tokens("text", self._result_characters),
            ),
            estimated_usd=self._estimated_usd(sum(tokens.values())),
            retry_in_s=self._retry_at_s and max(self._retry_at_s - now_s, 0.0),
        )

    def _estimated_usd(self, tokens: int) -> Decimal | None:
        settings = self.fold.facts.settings
        prices = None if settings is None else price_table(settings.model, self.fold.prices)
        return None if prices is None else prices.base.output * tokens / MTOK

    def _take(self, fact: events.Fact) -> None:
        match fact:
            case events.TurnStarted():
                self._doing = "thinking"
                self._run_s = self._step_began_s = self.fold.reading.this_turn.elapsed_s
            case events.StepStarted():
                self._drop_blocks(fact.step)
                self._step, self._step_began_s = fact.step, self._elapsed_s()
                self._doing = "thinking"
            case events.RetryScheduled():
                self._drop_blocks(fact.step)
                self._doing = "retrying"
                self._retry_at_s = self._now() + fact.wait_s
            case events.StepFinished():
                self._replied = tuple(self._blocks.values())
                for block in self._replied:
                    block.ended = True
                self._blocks, self._result_characters = {}, 0
                self._doing = "thinking"
            case events.ToolStarted():
                self._doing = fact.name
            case events.ToolFinished():
                self._result_characters += len(fact.shown)
            case events.ApprovalAsked():
                self._doing = "waiting for approval"
            case events.WaitStarted():
                self._doing = "waiting for room"
            case _:
                pass

    def _drop_blocks(self, step: int) -> None:
        """Forget what streamed; what a failed attempt of this step streamed does not count."""
        for block in self._blocks.values():
            block.is_void = block.step == step
        self._blocks = {}

    def _elapsed_s(self) -> float:
        since_s = self._running_since_s
        return self._run_s if since_s is None else self._run_s + self._now() - since_s
