"""The history of one task: append-only messages, open calls, and what is known of its size."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from budget_magic.events import TurnSettings
from budget_magic.tools.result import without_media

FIRST_REQUEST_TOKENS: Final = 2_000
"""Added to the bound of a request of unknown size: what the API puts around it."""
BLOCK_TOKENS: Final = 64
"""Added to the bound for each new block."""
MOST_IMAGE_TOKENS: Final = 5_000
"""More than the 4,784 to which the API scales the largest image (platform.claude.com, "Vision")."""
MOST_DOCUMENT_TOKENS: Final = 600 * 8_000
"""A PDF of 600 pages, each as text and as image: more than fits, so that it is always counted."""
GO_ON: Final = "Go on with the task."
NOT_RUN: Final = "not run"
NOT_SHOWN: Final = "not shown: the ceiling is near"

_RESENT: Final = frozenset({"tool_use", "thinking", "redacted_thinking", "compaction", "fallback"})
_SERVER_CALLS: Final = frozenset({"server_tool_use", "mcp_tool_use"})
_SERVER_RESULT: Final = "_tool_result"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCall:
    """A call of the last reply, in the order of the reply."""

    id: str
    name: str
    input: dict[str, Any]
    fault: str | None = None
    """Why it cannot be run; None where it is well-formed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The last billed request, from which the next one's size is known."""

    prompt_tokens: int
    reply_tokens: int
    """Output tokens of its reply; 0 where that did not enter the history."""
    messages: int
    """How many messages of the history these two cover."""
    is_cached: bool = True
    """False once effort, budget, model or tools changed: the next request writes it all again."""


@dataclass(slots=True, kw_only=True, repr=False)
class Conversation:
    """What has been said; a message is never edited once it was answered.

    It holds what Claude wrote as it was written, secrets too; it is sent, never shown.
    """

    messages: list[dict[str, Any]] = field(default_factory=list)
    open_calls: tuple[OpenCall, ...] = ()
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Result blocks by call id, not sent yet."""
    prompt: str | None = None
    """A prompt that is not sent yet."""
    last_prompt: str | None = None
    """The prompt in the last user message; None where that held only results."""
    paused: bool = False
    """Whether the last reply ended with `pause_turn`: it is sent again as it is."""
    baseline: Baseline | None = None
    under: TurnSettings | None = None
    """The settings that the cached prefix was made under."""
    requests: tuple[int, ...] = ()
    """How many messages each of the last two requests held: where cached prefixes end."""
    effort: str | None = None
    """Top-level effort of the requests so far."""
    spoken_effort: str | None = None
    """Effort in force, after changes by message."""
    bound_to: tuple[str, ...] = ()
    """Tools under which earlier thinking was signed."""
    drops_bound_thinking: bool = False
    """Whether tools changed since, so that bound thinking must be dropped."""
    hidden_tokens: int = 0
    """Raw thinking in the history, of which the blocks hold only a summary."""
    counted_tokens: int = 0
    """What the messages of the history used of the budget."""
    removed_tokens: int | None = None
    """What messages had used that rewrites took out; None before the first rewrite."""
    spent_before: int = 0
    """What the task had used when the last user message without tool results was sent."""
    sent_total: int | None = None
    """Total of the budget in the last request; None where none was sent."""
    question: str | None = None
    """The prompt that is being worked on."""
    first_prompt_tokens: int = 0
    """Size of the first request of this history."""
    measured: int = 0
    """How many messages billed requests have carried: their results are counted."""
    reply_is_kept: bool = False
    """Whether the last reply entered the history."""

    def copy(self) -> Conversation:
        """Return an independent copy, from which a turn can start again."""
        return replace(self, messages=list(self.messages), answers=dict(self.answers))

    def answer(
        self, call_id: str, content: str | Sequence[dict[str, Any]], *, is_error: bool
    ) -> None:
        """Keep the result of an open call, a text or content blocks, until the next request."""
        said = content if isinstance(content, str) else list(content)
        block: dict[str, Any] = {"type": "tool_result", "tool_use_id": call_id, "content": said}
        if is_error:
            block["is_error"] = True
        self.answers[call_id] = block

    def unanswered(self) -> list[OpenCall]:
        """Open calls without a result, in the order of the reply."""
        return [call for call in self.open_calls if call.id not in self.answers]

    def answer_the_rest(self) -> None:
        """Answer what is still open, because the API refuses a history with an open call."""
        for call in self.unanswered():
            self.answer(call.id, NOT_RUN, is_error=True)

    def outgoing(self) -> list[dict[str, Any]]:
        """Content of the next user message; empty where the last one is to be sent again."""
        blocks = [self.answers[call.id] for call in self.open_calls if call.id in self.answers]
        if self.prompt is not None:
            blocks.append(text_block(self.prompt))
        if not blocks and self.messages and self.messages[-1]["role"] == "assistant":
            return [] if self.paused else [text_block(GO_ON)]
        return blocks

    def commit(self, blocks: list[dict[str, Any]], *, spoken_effort: str | None = None) -> None:
        """Enter a user message into the history; it is sent with the next request."""
        if blocks:
            self.messages.append({"role": "user", "content": blocks})
            self.open_calls, self.answers = (), {}
            self.question = self.prompt or self.question
            self.last_prompt, self.prompt = self.prompt, None
        if spoken_effort is not None:
            config = {"output_config": {"effort": spoken_effort}}
            self.messages.append({"role": "system", "content": [], **config})
            self.spoken_effort = spoken_effort

    def call_ids(self) -> set[str]:
        """Return the ids of all calls in the history."""
        return {
            block["id"]
            for message in self.messages
            if message["role"] == "assistant"
            for block in message["content"]
            if block["type"] == "tool_use"
        }

    def commit_reply(
        self,
        content: tuple[dict[str, Any], ...],
        *,
        paused: bool,
        faults: Mapping[str, str] = MappingProxyType({}),
    ) -> bool:
        """Enter a reply; False where it has nothing that the API would take back.

        Blocks that the API refuses, such as those of empty text, are left out before it is sent
        for the first time.

        Parameters
        ----------
        content
            The reply as `repair_reply` gives it.
        paused
            Whether it ended with `pause_turn`.
        faults
            Why a call cannot be run, by its id.
        """
        content = _resendable(content, paused=paused)
        self.reply_is_kept = _can_be_resent(content)
        if not self.reply_is_kept:
            return False
        self.messages.append({"role": "assistant", "content": list(content)})
        self.open_calls = tuple(
            OpenCall(
                id=block["id"],
                name=block["name"],
                input=dict(block["input"]),
                fault=faults.get(block["id"]),
            )
            for block in content
            if block["type"] == "tool_use"
        )
        self.answers, self.paused = {}, paused
        return True

    def forget_refused(self) -> None:
        """Take a refused reply out, and the prompt sent right before it; tool results stay.

        The prompt waits again: going on sends it anew, another prompt takes its place.
        """
        if self.reply_is_kept:
            self.messages.pop()
            self.counted_tokens -= self.baseline.reply_tokens if self.baseline else 0
            self.open_calls, self.reply_is_kept = (), False
        self._take_back()

    def withdraw(self, said: str, prompt: str | None) -> None:
        """Undo a prompt of our own that got no answer; the task's own waits in its place.

        Parameters
        ----------
        said
            The prompt of our own, sent already or not.
        prompt
            What waits instead; None where nothing does.
        """
        if self.prompt != said and self.messages[-1]["role"] != "assistant":
            self._take_back()
        self.prompt = prompt

    def replace_all(self, text: str) -> int:
        """Let one user message stand for the whole history; gives how many messages are gone.

        Nothing of the old messages stays, so that no thinking signature is left without its
        prefix. The message counts as entered: it is sent with the next request.
        """
        removed, reply = len(self.messages), self.baseline.reply_tokens if self.baseline else 0
        gone = self.counted_tokens - reply
        self.messages = [{"role": "user", "content": [text_block(text)]}]
        self.removed_tokens, self.counted_tokens = (self.removed_tokens or 0) + gone, 0
        self.open_calls, self.answers, self.requests = (), {}, ()
        self.prompt = self.last_prompt = self.baseline = None
        self.effort = self.spoken_effort = None
        self.paused = self.drops_bound_thinking = self.reply_is_kept = False
        self.hidden_tokens = self.first_prompt_tokens = self.measured = 0
        return removed

    def _take_back(self) -> None:
        """Take the last user message out; its results stay, its prompt waits again."""
        was_measured = self.measured >= len(self.messages)
        while self.messages and self.messages[-1]["role"] == "system":
            self.messages.pop()
            self.spoken_effort = self.message_effort() or self.effort
        if self.messages and self.messages[-1]["role"] == "user":
            last = self.messages.pop()
            results = [block for block in last["content"] if block["type"] == "tool_result"]
            self.prompt = self.last_prompt
            if results:
                self.messages.append({"role": "user", "content": results})
        left = len(self.messages)
        self.measured = left if was_measured else min(self.measured, left)
        self.baseline = None

    def message_effort(self) -> str | None:
        """Return the effort that messages in the history announced last; None where none did."""
        said = (one for one in reversed(self.messages) if one["role"] == "system")
        return next((one["output_config"]["effort"] for one in said), None)

    def uncache(self) -> None:
        """Note that the next request writes the whole prompt to the cache again."""
        if self.baseline is not None:
            self.baseline = replace(self.baseline, is_cached=False)

    def sent(
        self, *, with_effort_messages: bool
    ) -> tuple[tuple[dict[str, Any], ...], tuple[int, ...]]:
        """Return the messages as sent, and those that carry a cache breakpoint.

        Marked are the end of the last request and of this one.
        """
        ends = {
            _last_user(self.messages[:count]) for count in (*self.requests[-1:], len(self.messages))
        }
        kept = [
            (index in ends, message)
            for index, message in enumerate(self.messages)
            if with_effort_messages or message["role"] != "system"
        ]
        marked = tuple(place for place, (is_end, _) in enumerate(kept) if is_end)
        return tuple(message for _, message in kept), marked

    def new_blocks(self) -> list[dict[str, Any]]:
        """Blocks whose size no billed request has told: all of them without a baseline."""
        return self._blocks(0 if self.baseline is None else self.baseline.messages)

    def unmeasured_blocks(self) -> list[dict[str, Any]]:
        """Blocks that no billed request has carried yet."""
        return self._blocks(self.measured)

    def _blocks(self, start: int) -> list[dict[str, Any]]:
        return [block for message in self.messages[start:] for block in message["content"]]


def text_block(text: str) -> dict[str, Any]:
    """Return a text block as the API takes it."""
    return {"type": "text", "text": text}


def bound_tokens(blocks: list[dict[str, Any]]) -> int:
    """Upper bound of new blocks in tokens: one per UTF-8 byte, 64 per block, and their media."""
    bound = 0
    for block in blocks:
        text, images, documents = without_media(block)
        bound += len(_json(text)) + BLOCK_TOKENS
        bound += images * MOST_IMAGE_TOKENS + documents * MOST_DOCUMENT_TOKENS
    return bound


def prompt_bound(
    conversation: Conversation, extra: list[dict[str, Any]], *, preamble: object
) -> int:
    """Upper bound of the next prompt in tokens.

    Parameters
    ----------
    conversation
        With everything that is already entered.
    extra
        Blocks that would be sent beside it.
    preamble
        Tools and system prompt; they count where nothing is known of an earlier prompt.
    """
    new = bound_tokens(conversation.new_blocks() + extra)
    if conversation.baseline is None:
        unseen = FIRST_REQUEST_TOKENS + conversation.hidden_tokens
        return unseen + len(_json(preamble)) + new
    return conversation.baseline.prompt_tokens + conversation.baseline.reply_tokens + new


def text_bytes(messages: Sequence[Mapping[str, Any]]) -> int:
    """Return the size of the text of messages, as UTF-8; thinking may be left out of a prompt."""
    said = [
        without_media(block)[0]
        for message in messages
        for block in message["content"]
        if block["type"] not in {"thinking", "redacted_thinking"}
    ]
    return len(_json(said))


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _last_user(messages: list[dict[str, Any]]) -> int | None:
    for index in range(len(messages) - 1, -1, -1):
        if messages[index]["role"] == "user":
            return index
    return None


def _resendable(content: tuple[dict[str, Any], ...], *, paused: bool) -> tuple[dict[str, Any], ...]:
    """Return the blocks that the API takes back.

    Left out are empty text, kinds of blocks that nobody here knows, and a call of a server's tool
    without its result or a result without its call, but for the call that a paused turn goes on
    with.
    """
    called = [block.get("id") for block in content if block["type"] in _SERVER_CALLS]
    answered = [block.get("tool_use_id") for block in content]

    def is_kept(block: dict[str, Any]) -> bool:
        kind = block["type"]
        if kind == "text":
            return bool(block["text"].strip())
        if kind in _SERVER_CALLS:
            return isinstance(block.get("id"), str) and (paused or block["id"] in answered)
        if kind.endswith(_SERVER_RESULT):
            return isinstance(block.get("tool_use_id"), str) and block["tool_use_id"] in called
        return kind in _RESENT

    return tuple(filter(is_kept, content))


def _can_be_resent(content: tuple[dict[str, Any], ...]) -> bool:
    says_something = any(
        block["type"] not in {"thinking", "redacted_thinking"} for block in content
    )
    signed = all(block.get("signature") for block in content if block["type"] == "thinking")
    return says_something and signed
