"""What a scene sees of a request: prompt, tools, results so far, countdown."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from budget_magic.simulator.message_schema import Message
from budget_magic.simulator.prompt import Prompt
from budget_magic.simulator.tokens import JsonMapping, JsonObject, result_text

_CONTINUES: Final = re.compile(r"\s*(please\s+)?(go on|continue|carry on)\b", re.IGNORECASE)
"""A message that asks nothing new: the prompt before it remains the current one."""
_WANTS_ANSWER: Final = re.compile(
    r"\bwithout (\w+ )*tools?|\bno (\w+ )?tools?\b|\bdo(n't| not) (call|use) (\w+ )*tools?"
    r"|\bfinal (summary|answer|report)|\bsummari[sz]e (the|this|our|your) (conversation|work|task)",
    re.IGNORECASE,
)
_SUMMARISE: Final = "Summarise the conversation so that it can go on from the summary alone."


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedTool:
    """A tool that the client offers."""

    name: str
    properties: Mapping[str, Any]
    required: tuple[str, ...]

    @classmethod
    def from_json(cls, tool: JsonMapping) -> Self:
        """Return the tool of a request."""
        schema = tool["input_schema"]
        properties, required = schema.get("properties") or {}, schema.get("required") or ()
        return cls(name=tool["name"], properties=properties, required=tuple(required))


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedCall:
    """A tool call with its result."""

    name: str
    input: Mapping[str, Any]
    text: str
    """All text of the result."""
    is_error: bool
    turn: int
    """Number of the user's turn, from 0."""
    reply: int
    """Number of the reply that made the call, from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneContext:
    """One request, as a scene sees it."""

    seed: int
    fingerprint: str
    effort: str
    """The effort of this reply; `high` if the model has no such parameter."""
    thinks: bool
    max_tokens: int
    tools: tuple[OfferedTool, ...]
    tool_choice: str
    """`auto`, `any`, `tool` or `none`."""
    forced_tool: str | None
    prompts: tuple[str, ...]
    """Text of the user messages that began a turn, oldest first."""
    asked: str
    """Text of the last user message, including text beside tool results."""
    completed_calls: tuple[CompletedCall, ...]
    """All calls with results, oldest first."""
    replies: int
    turn_replies: int
    budget: int | None
    """`task_budget.total`; None without a budget."""
    remaining: int | None
    """The countdown before this reply; None without a budget."""

    @property
    def turn(self) -> int:
        """Number of the user's turn, from 0."""
        return max(0, len(self.prompts) - 1)

    @property
    def prompt(self) -> str:
        """Text of the message that began this turn."""
        return self.prompts[-1] if self.prompts else ""

    @property
    def last_calls(self) -> tuple[CompletedCall, ...]:
        """Calls of the last reply with their results; empty at the start of a turn."""
        last = tuple(call for call in self.completed_calls if call.reply == self.replies - 1)
        return last if self.turn_replies else ()

    @property
    def used(self) -> float:
        """Used share of the budget; 0 without a budget."""
        if not self.budget or self.remaining is None:
            return 0.0
        return 1 - self.remaining / self.budget

    @property
    def can_call(self) -> bool:
        """Whether the reply may call tools."""
        return bool(self.tools) and self.tool_choice != "none"

    @property
    def wants_answer(self) -> bool:
        """Whether the client wants an answer now, without further calls."""
        return not self.can_call or _WANTS_ANSWER.search(self.asked) is not None

    def random(self) -> random.Random:
        """Return a generator that depends on the seed and the conversation alone."""
        return random.Random(f"{self.seed}/{self.fingerprint}")  # noqa: S311 - reproducible

    def tool(self, *names: str) -> OfferedTool | None:
        """Return the first offered tool with one of these names."""
        by_name = {tool.name: tool for tool in self.tools}
        return next((by_name[name] for name in names if name in by_name), None)


def make_context(prompt: Prompt, *, seed: int, remaining: int | None) -> SceneContext:
    """Return what a scene sees of a valid request.

    A request for a compaction looks like a user who asks for a summary without tools.
    """
    request, body = prompt.request, prompt.request.body
    choice = body.tool_choice
    context = SceneContext(
        seed=seed,
        fingerprint=prompt.digest.hex()[:16],
        effort=request.reply_effort or "high",
        thinks=request.thinks,
        max_tokens=body.max_tokens,
        tools=tuple(OfferedTool.from_json(tool) for tool in body.tools),
        tool_choice=choice["type"],
        forced_tool=choice["name"] if choice["type"] == "tool" else None,
        budget=request.budget.total if request.budget else None,
        remaining=remaining,
        **_read_history(body.messages),
    )
    if body.compaction is None:
        return context
    asked = body.compaction.get("instructions") or _SUMMARISE
    return replace(context, asked=asked, tool_choice="none")


def _read_history(messages: Sequence[Message]) -> JsonObject:
    """Return the fields of a context that the messages alone decide."""
    prompts: list[str] = []
    completed: list[CompletedCall] = []
    calls: JsonObject = {}
    asked, previous = "", "system"
    replies = turn_replies = 0
    for message in messages:
        blocks = message.content
        if message.role == "assistant":
            calls |= {block["id"]: block for block in blocks if block["type"] == "tool_use"}
            if previous != "assistant":
                replies, turn_replies = replies + 1, turn_replies + 1
        elif message.role == "user":
            text = "\n\n".join(block["text"] for block in blocks if block["type"] == "text")
            asked = f"{asked}\n\n{text}".strip() if previous == "user" else text
            completed += [
                CompletedCall(
                    name=calls[block["tool_use_id"]]["name"],
                    input=calls[block["tool_use_id"]]["input"],
                    text=result_text(block),
                    is_error=bool(block.get("is_error")),
                    turn=len(prompts) - 1,
                    reply=replies - 1,
                )
                for block in blocks
                if block["type"] == "tool_result"
            ]
            if previous == "user" and "tool_result" not in message.kinds:
                prompts[-1:] = [asked]
            elif "tool_result" not in message.kinds:
                turn_replies = 0
                prompts += [] if prompts and _CONTINUES.match(text) else [text]
        if message.role != "system":
            previous = message.role
    return {
        "prompts": tuple(prompts),
        "asked": asked,
        "completed_calls": tuple(completed),
        "replies": replies,
        "turn_replies": turn_replies,
    }
