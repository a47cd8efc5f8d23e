"""What the simulated model sees of a request: prompt, tools, results so far, countdown."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from budget_magic.simulator.request import Request
from budget_magic.simulator.tokens import result_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A tool that the client offers."""

    name: str
    description: str
    properties: Mapping[str, Any]
    required: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A call that was made, with its result."""

    id: str
    name: str
    input: Mapping[str, Any]
    text: str
    """All text of the result; empty where it is not known."""
    is_error: bool
    turn: int
    """Number of the user's turn in which it was made, from 0."""
    reply: int
    """Number of the reply that made it, from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One request, as a scene reads it."""

    number: int
    """Place among the POSTs to /v1/messages, from 0."""
    seed: int
    fingerprint: str
    """Digest of the conversation: the same conversation always has the same."""
    model: str
    effort: str
    """The effort of this reply; `high` where the model has no such parameter."""
    thinks: bool
    max_tokens: int
    tools: tuple[Offered, ...]
    tool_choice: str
    """`auto`, `any`, `tool` or `none`."""
    forced_tool: str | None
    system: str
    prompts: tuple[str, ...]
    """Text of the user messages that began a turn, oldest first."""
    asked: str
    """All text of the last user message, also what stands beside tool results."""
    done: tuple[Done, ...]
    """All answered calls, oldest first."""
    texts: tuple[str, ...]
    """Texts of the earlier replies, oldest first."""
    replies: int
    """Replies so far."""
    turn_replies: int
    """Replies so far in this turn."""
    budget: int | None
    """`task_budget.total`; None where there is none."""
    remaining: int | None
    """The countdown before this reply."""

    @property
    def turn(self) -> int:
        """Number of the user's turn, from 0."""
        return max(0, len(self.prompts) - 1)

    @property
    def prompt(self) -> str:
        """What the user asked last."""
        return self.prompts[-1] if self.prompts else ""

    @property
    def last(self) -> tuple[Done, ...]:
        """The calls of the last reply with their results; empty at the start of a turn."""
        now = [done for done in self.done if done.reply == self.replies - 1]
        return tuple(now) if self.turn_replies else ()

    @property
    def used(self) -> float:
        """The share of the budget that is used; 0 where there is none."""
        if not self.budget or self.remaining is None:
            return 0.0
        return 1 - self.remaining / self.budget

    @property
    def can_call(self) -> bool:
        """Whether it may call tools at all."""
        return bool(self.tools) and self.tool_choice != "none"

    def random(self) -> random.Random:
        """Randomness that is the same for the same seed and conversation."""
        return random.Random(f"{self.seed}/{self.fingerprint}")  # noqa: S311 - reproducible

    def tool(self, *names: str) -> Offered | None:
        """The first offered tool with one of these names; None where there is none."""
        by_name = {tool.name: tool for tool in self.tools}
        return next((by_name[name] for name in names if name in by_name), None)


def make_view(
    request: Request, *, number: int, seed: int, digest: bytes, remaining: int | None
) -> View:
    """The view of a checked request."""
    reader = _Reader(request)
    choice = request.sent.tool_choice
    return View(
        number=number,
        seed=seed,
        fingerprint=digest.hex()[:16],
        model=request.model.id,
        effort=request.effort_now or "high",
        thinks=request.thinks,
        max_tokens=request.sent.max_tokens,
        tools=tuple(_offered(tool) for tool in request.sent.tools),
        tool_choice=choice["type"],
        forced_tool=None if choice["type"] != "tool" else choice["name"],
        system="\n".join(block["text"] for block in request.sent.system),
        prompts=tuple(reader.prompts),
        asked=reader.asked,
        done=tuple(reader.done),
        texts=tuple(reader.texts),
        replies=reader.replies,
        turn_replies=reader.turn_replies,
        budget=request.budget.total if request.budget else None,
        remaining=remaining,
    )


def _offered(tool: Mapping[str, Any]) -> Offered:
    schema = tool["input_schema"]
    return Offered(
        name=tool["name"],
        description=tool.get("description") or "",
        properties=schema.get("properties") or {},
        required=tuple(schema.get("required") or ()),
    )


_GO_ON: Final = re.compile(r"\s*(please\s+)?(go on|continue|carry on)\b", re.IGNORECASE)
"""A message that asks for nothing new: the question before it stays the one in hand."""


class _Reader:
    def __init__(self, request: Request) -> None:
        self.prompts: list[str] = []
        self.texts: list[str] = []
        self.done: list[Done] = []
        self.asked = ""
        self.replies = 0
        self.turn_replies = 0
        self._calls: dict[str, Mapping[str, Any]] = {}
        before = "system"
        for message in request.messages:
            texts = [block["text"] for block in message.blocks if block["type"] == "text"]
            if message.role == "assistant":
                self._assistant(message.blocks, "\n\n".join(texts), goes_on=before == "assistant")
            elif message.role == "user":
                self._user(message.blocks, "\n\n".join(texts), message.has_tool_results, before)
            before = message.role if message.role != "system" else before

    def _assistant(self, blocks: tuple[Any, ...], text: str, *, goes_on: bool) -> None:
        if not goes_on:
            self.replies += 1
            self.turn_replies += 1
        if text:
            self.texts.append(text)
        for block in blocks:
            if block["type"] == "tool_use":
                self._calls[block["id"]] = block

    def _user(self, blocks: tuple[Any, ...], text: str, has_results: bool, before: str) -> None:  # noqa: FBT001 - private
        for block in blocks:
            if block["type"] != "tool_result":
                continue
            call = self._calls[block["tool_use_id"]]
            self.done.append(
                Done(
                    id=call["id"],
                    name=call["name"],
                    input=call["input"],
                    text=result_text(block),
                    is_error=bool(block.get("is_error")),
                    turn=len(self.prompts) - 1,
                    reply=self.replies - 1,
                )
            )
        self.asked = f"{self.asked}\n\n{text}".strip() if before == "user" else text
        if not has_results and before != "user":
            if not (self.prompts and _GO_ON.match(text)):
                self.prompts.append(text)
            self.turn_replies = 0
        elif not has_results:
            self.prompts[-1:] = [self.asked]
