"""A panel that shows a made-up turn, and a comm that remembers what was sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Literal

from comm.base_comm import BaseComm

from budget_magic.events import (
    ApprovalGiven,
    BlockStarted,
    Delta,
    DeltaKind,
    Fact,
    Record,
    RetryScheduled,
    StepStarted,
)
from budget_magic.meter.estimate import Ratios
from budget_magic.report.live_turn import LiveTurn
from budget_magic.report.turn_fold import TurnFold, advance
from budget_magic.report.view_models import CeilingKind
from budget_magic.widgets import Decision, Offers, Panel
from budget_magic.widgets.controls import Raise
from tests.report.records import AT, Story

GUARD_S = 10.0
OFFERS = Offers(
    levels=("low", "medium", "high", "xhigh", "max"),
    effort="high",
    next_effort="high",
    rewrite_tokens=38_180,
    rewrite_usd=Decimal("0.1812"),
    by_message=True,
    budget=64_000,
    next_budget=64_000,
    budgets=(96_000, 128_000, 192_000),
    ceilings={"cost": Raise(by="+$2", value="5", to="7.00", text="$7.00")},
)


class Pressed:
    """Controls that remember what was pressed."""

    def __init__(self) -> None:
        self.said: list[tuple[object, ...]] = []
        self.stopped = threading.Event()
        self.offered = OFFERS
        self.decided: Callable[[str, Decision, str], None] = lambda *_: None

    def stop(self) -> None:
        """Stop was pressed."""
        self.said.append(("stop",))
        self.stopped.set()

    def decide(self, call_id: str, kind: Decision, reason: str) -> None:
        """A call was decided on."""
        self.said.append(("decide", call_id, kind, reason))
        self.decided(call_id, kind, reason)

    def set_effort(self, level: str, when: Literal["now", "next"]) -> None:
        """An effort was chosen."""
        self.said.append(("effort", level, when))

    def set_budget(self, value: int | None, to: str, when: Literal["now", "next"]) -> None:
        """A budget was chosen."""
        self.said.append(("budget", value, to, when))

    def raise_ceiling(self, ceiling: CeilingKind, value: str, to: str) -> None:
        """A ceiling was raised."""
        self.said.append(("ceiling", ceiling, value, to))

    def offers(self) -> Offers:
        """What is offered."""
        return self.offered


class Show:
    """A panel on a story that goes on."""

    def __init__(self, story: Story) -> None:
        self.story, self.controls = replace(story, facts=[]), Pressed()
        self.controls.decided = self.decided
        self.fold, self.now_s, self.block = TurnFold(task="audit"), 0.0, -1
        self.turn = LiveTurn(lambda: self.fold, Ratios, lambda: self.now_s)
        for fact in story.facts:
            self.add(fact)
        self.panel = Panel(self.turn, self.controls)

    def tell(self, tell: Callable[[Story], object]) -> None:
        """The story goes on; the panel hears of each new fact."""
        before = len(self.story.facts)
        tell(self.story)
        for fact in self.story.facts[before:]:
            if isinstance(fact, StepStarted | RetryScheduled):
                self.block = -1
            self.fold = advance(self.fold, fact)
            record = Record(id="", task="audit", sequence=len(self.story.facts), at=AT, fact=fact)
            self.turn.record(record)

    def add(self, fact: Fact) -> None:
        """One more fact."""
        self.tell(lambda story: story.add(fact))

    def begin(self, kind: DeltaKind = "text", name: str = "") -> None:
        """A block begins to stream."""
        self.block += 1
        step, turn = self.story.step, self.story.turn
        self.turn.live(BlockStarted(turn=turn, step=step, block=self.block, kind=kind, name=name))

    def stream(self, text: str, kind: DeltaKind = "text") -> None:
        """A piece of the block."""
        step, turn = self.story.step, self.story.turn
        self.turn.live(Delta(turn=turn, step=step, block=self.block, kind=kind, text=text))

    def decided(self, call_id: str, kind: Decision, reason: str) -> None:
        """A person decided: the fact follows."""
        given = ApprovalGiven(
            turn=self.story.turn, step=self.story.step, call_id=call_id, name="edit_file",
            decision=kind, by="person", reason=reason,
        )  # fmt: skip
        self.add(given)


class RecordedComm(BaseComm):
    """A comm whose other end remembers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.news = threading.Condition()
        self.told: list[dict[str, Any]] = []
        self.kinds: list[str] = []
        super().__init__(*args, **kwargs)

    def publish_msg(
        self,
        msg_type: str,
        data: Any = None,
        metadata: Any = None,  # noqa: ARG002 - the seam
        buffers: Any = None,  # noqa: ARG002 - the seam
        **keys: Any,  # noqa: ARG002 - the seam
    ) -> None:
        """Remember a message."""
        with self.news:
            self.kinds.append(msg_type)
            self.told.append(json.loads(json.dumps(data or {})))
            self.news.notify_all()

    def wait(self, seen: Callable[[], bool]) -> None:
        """Until `seen`, which must come true after some message."""
        with self.news:
            assert self.news.wait_for(seen, GUARD_S)

    def say(self, content: object) -> None:
        """A view sends a custom message."""
        data = {"method": "custom", "content": content}
        self.handle_msg({"content": {"data": data}, "buffers": []})

    @property
    def opened(self) -> dict[str, Any]:
        """The state with which the widget began."""
        state: dict[str, Any] = self.told[0]["state"]
        return state

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The custom messages."""
        return [told["content"] for told in self.told if told.get("method") == "custom"]

    @property
    def snapshots(self) -> list[dict[str, Any]]:
        """The snapshots that were sent after the beginning."""
        updates = (told["state"] for told in self.told if told.get("method") == "update")
        return [state["snapshot"] for state in updates if "snapshot" in state]


class Joined:
    """What a browser makes of messages, the simplest way."""

    def __init__(self, comm: RecordedComm) -> None:
        first = comm.opened["snapshot"]
        self.head: dict[str, Any] = first["head"]
        self.steps = {step["number"]: step for step in first["steps"]}
        self.streams: dict[int, str] = {}
        self.gaps = 0
        for message in comm.messages:
            self.take(message)

    def take(self, message: Mapping[str, Any]) -> None:
        """One message more."""
        for stream, *_ in message.get("n", []):
            self.streams[stream] = ""
        for stream, offset, text in message.get("d", []):
            told = self.streams[stream].encode("utf-16-le")
            self.gaps += 2 * offset != len(told)
            self.streams[stream] = told[: 2 * offset].decode("utf-16-le") + text
        for stream in message.get("x", []):
            del self.streams[stream]
        for patch in message.get("s", []):
            step = self.steps.setdefault(patch["number"], {"row": {}, "blocks": []})
            _merge(step["row"], patch.get("row", {}))
            if "blocks" in patch:
                step["blocks"] = [*step["blocks"][: patch["from"]], *patch["blocks"]]
        _merge(self.head, message.get("h", {}))


def _merge(target: dict[str, Any], patch: Mapping[str, Any]) -> None:
    for key, value in patch.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        else:
            target[key] = value
