"""Watches a turn while it runs: what streams now, from which a view can be made at any moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal

from budget_magic.events import (
    ApprovalAsked,
    ApprovalGiven,
    BlockStarted,
    DeltaKind,
    Live,
    Record,
    RetryScheduled,
    StepFinished,
    StepStarted,
    ToolFinished,
    ToolStarted,
    TurnFinished,
    TurnStarted,
    WaitFinished,
    WaitStarted,
)
from budget_magic.loop import Stopwatch
from budget_magic.meter.cost import MTOK, price_table
from budget_magic.meter.estimate import Ratios
from budget_magic.models import PriceTable
from budget_magic.report.view_models import LiveBlock, LiveState


@dataclass(slots=True, kw_only=True)
class _Block:
    kind: DeltaKind
    name: str
    pieces: list[str] = field(default_factory=list)
    size: int = 0


class StreamState:
    """A sink that knows what streams right now; written on the loop's thread, read from any.

    Parameters
    ----------
    ratios
        Gives characters per token as of now.
    own_prices
        Prices that the user gave, by model id.
    now
        A monotonic clock in seconds.
    elapsed_s
        Running time of the turn before it was resumed.
    """

    def __init__(
        self,
        *,
        ratios: Callable[[], Ratios],
        own_prices: Mapping[str, PriceTable],
        now: Callable[[], float],
        elapsed_s: float = 0.0,
    ) -> None:
        self._ratios, self._own_prices, self._now = ratios, own_prices, now
        self._watch = Stopwatch(now, elapsed_s)
        self._lock = threading.Lock()
        self._pauses = ExitStack()
        self._blocks: dict[int, _Block] = {}
        self._step = 1
        self._step_since_s = elapsed_s
        self._doing = "thinking"
        self._model = ""
        self._result_characters = 0
        self._retry_at_s: float | None = None
        self._is_stopping = False

    def stopping(self) -> None:
        """A person asked the turn to stop."""
        self._is_stopping = True

    def record(self, record: Record) -> None:
        """Take one fact."""
        with self._lock:
            self._take(record)

    def live(self, event: Live) -> None:
        """Take a piece of what streams."""
        with self._lock:
            if isinstance(event, BlockStarted):
                self._blocks[event.block] = _Block(kind=event.kind, name=event.name)
                self._doing = event.name or ("writing" if event.kind == "text" else event.kind)
                self._retry_at_s = None
                return
            block = self._blocks.setdefault(event.block, _Block(kind=event.kind, name=""))
            block.pieces.append(event.text)
            block.size += len(event.text)

    def state(self, *, with_text: bool = True) -> LiveState:
        """Return what streams now; leaving out the texts keeps it cheap however long they are."""
        with self._lock:
            ratios = self._ratios()
            blocks = tuple(
                LiveBlock(
                    kind=block.kind,
                    name=block.name,
                    text="".join(block.pieces) if with_text else "",
                    estimated_tokens=ratios.block_tokens(block.kind, block.size),
                )
                for block in self._blocks.values()
            )
            left_s = None if self._retry_at_s is None else max(self._retry_at_s - self._now(), 0.0)
            return LiveState(
                step=self._step,
                doing="stopping" if self._is_stopping else self._doing,
                elapsed_s=self._watch.elapsed_s,
                step_elapsed_s=max(self._watch.elapsed_s - self._step_since_s, 0.0),
                blocks=blocks,
                estimated_result_tokens=ratios.tokens("text", self._result_characters),
                estimated_usd=self._estimated_usd(sum(one.estimated_tokens for one in blocks)),
                retry_in_s=left_s,
            )

    def _take(self, record: Record) -> None:  # noqa: C901 - one case per kind of fact
        fact = record.fact
        match fact:
            case TurnStarted():
                self._model = fact.settings.model
            case StepStarted():
                self._step, self._step_since_s = fact.step, self._watch.elapsed_s
                self._blocks, self._doing = {}, "thinking"
            case RetryScheduled():
                self._blocks, self._doing = {}, "retrying"
                self._retry_at_s = self._now() + fact.wait_s
            case StepFinished():
                self._blocks, self._result_characters = {}, 0
                self._doing = "thinking"
            case ToolStarted():
                self._doing = fact.name
            case ToolFinished():
                self._result_characters += len(fact.shown)
            case ApprovalAsked():
                self._doing = "waiting for approval"
                self._pauses.enter_context(self._watch.paused())
            case WaitStarted():
                self._doing = "waiting for room"
                self._pauses.enter_context(self._watch.paused())
            case ApprovalGiven() | WaitFinished():
                self._pauses.close()
            case TurnFinished():
                self._pauses.close()
                self._blocks = {}
            case _:
                return

    def _estimated_usd(self, tokens: int) -> Decimal | None:
        prices = price_table(self._model, self._own_prices)
        return None if prices is None else prices.base.output * tokens / MTOK
