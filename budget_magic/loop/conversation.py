"""The conversation of one task: append-only messages, open calls, and its known size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from budget_magic.events import (
    EffortChanged,
    Fact,
    HistoryRewritten,
    MessageAppended,
    MessagesWithdrawn,
    SettingsChanged,
    StepFinished,
    ToolFinished,
    TurnSettings,
)
from budget_magic.loop.budget_carryover import SentBudget, sent_budget
from budget_magic.models import find_model

GO_ON: Final = "Go on with the task."
NOT_RUN: Final = "not run"
NOT_SHOWN: Final = "not shown: the ceiling is near"

THINKING: Final = frozenset({"thinking", "redacted_thinking"})


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCall:
    """A call of the last reply."""

    id: str
    name: str
    input: dict[str, Any]
    fault: str | None = None
    """Why it cannot run; None if it is well-formed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The last billed request, from which the next one's size is known."""

    prompt_tokens: int
    reply_tokens: int
    """Output tokens of its reply; 0 if that did not enter the history."""
    messages: int
    """How many messages of the history these two cover."""
    is_cached: bool = True
    """False once effort or budget changed: the next request writes it all again."""


@dataclass(slots=True, kw_only=True, repr=False)
class Conversation:
    """A fold of facts into messages; none of them is edited once it was answered.

    It holds what Claude wrote unredacted; it is sent, never shown.
    """

    messages: list[dict[str, Any]] = field(default_factory=list)
    open_calls: tuple[OpenCall, ...] = ()
    call_ids: set[str] = field(default_factory=set)
    """Ids of all calls so far."""
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Result blocks by call id, not sent yet."""
    prompt: str | None = None
    """A prompt that is not sent yet."""
    last_prompt: str | None = None
    """The prompt in the last user message; None if that held only results."""
    question: str | None = None
    """The prompt that is being worked on."""
    waits_for_summary: bool = False
    """Whether the last message asks for a summary of the history."""
    paused: bool = False
    """Whether the last reply ended with `pause_turn`: it is sent again as it is."""
    reply_is_kept: bool = False
    """Whether the last reply entered the history."""
    under: TurnSettings | None = None
    """The settings in force."""
    bound_to: tuple[dict[str, Any], ...] = ()
    """Tools under which earlier thinking was signed."""
    drops_bound_thinking: bool = False
    """Whether tools changed since, so that bound thinking must be dropped."""
    effort: str | None = None
    """Top-level effort of the requests so far."""
    spoken_effort: str | None = None
    """Effort in force, after changes by message."""
    baseline: Baseline | None = None
    last_request: int | None = None
    """How many messages the last request held: where a cached prefix ends."""
    measured: int = 0
    """How many messages billed requests have carried: their results are counted."""
    first_prompt_tokens: int = 0
    """Size of the first request of this history."""
    hidden_tokens: int = 0
    """Raw thinking in the history, of which the blocks hold only a summary."""
    counted_tokens: int = 0
    """What the messages of the history used of the budget."""
    removed_tokens: int | None = None
    """What messages removed by rewrites had used; None before the first rewrite."""
    spent: int = 0
    """What the task has used of the budget, including superseded turns."""
    spent_before: int = 0
    """What it had used when the last user message without tool results was sent."""
    sent_total: int | None = None
    """Total of the budget in the last request; None if none was sent."""

    def copy(self) -> Conversation:
        """Return an independent copy, from which a turn can start again."""
        return replace(
            self,
            messages=list(self.messages),
            answers=dict(self.answers),
            call_ids=set(self.call_ids),
        )

    # Facts

    def take(self, fact: Fact) -> None:
        """Fold one more fact; those that do not concern messages change nothing."""
        match fact:
            case MessageAppended():
                self._append(fact)
            case StepFinished():
                self._take_bill(fact)
            case ToolFinished():
                self._take_answer(fact)
            case MessagesWithdrawn():
                self._withdraw(fact.why)
            case HistoryRewritten():
                self._clear()
            case EffortChanged():
                self.uncache()
                self.effort = self.spoken_effort = fact.effort
            case SettingsChanged():
                if self.under is not None and self.under.budget != fact.settings.budget:
                    self.uncache()
                self.under = fact.settings

    def begin_turn(self, settings: TurnSettings, definitions: tuple[dict[str, Any], ...]) -> None:
        """Apply the settings and tools of a turn, and note what they do to the cache."""
        before, self.under = self.under, settings
        bound_to, self.bound_to = self.bound_to, definitions
        if not self.messages or before is None:
            return
        if before.model != settings.model:
            model = find_model(settings.model)
            by_message = model is not None and model.effort_per_message
            spoken = self.message_effort() if by_message else None
            self.baseline = None
            self.effort = settings.effort if spoken else None
            self.spoken_effort = spoken
        if before.budget != settings.budget:
            self.uncache()
        if bound_to != definitions:
            self.baseline = None
            self.drops_bound_thinking = True

    def _append(self, fact: MessageAppended) -> None:
        message = fact.sent
        match fact.message["role"]:
            case "assistant":
                self._append_reply(message, fact.faults)
            case "user" if message is not None:
                self._append_prompt(message, fact.purpose)
            case _ if message is not None:
                self.messages.append(message)
                self.spoken_effort = message["output_config"]["effort"]

    def _append_reply(self, message: dict[str, Any] | None, faults: Mapping[str, str]) -> None:
        self.reply_is_kept = message is not None
        if message is None:
            return
        self.messages.append(message)
        self.open_calls = tuple(
            OpenCall(
                id=block["id"],
                name=block["name"],
                input=dict(block["input"]),
                fault=faults.get(block["id"]),
            )
            for block in message["content"]
            if block["type"] == "tool_use"
        )
        self.call_ids |= {call.id for call in self.open_calls}
        self.answers, self.paused, self.waits_for_summary = {}, False, False

    def _append_prompt(self, message: dict[str, Any], purpose: str) -> None:
        self.messages.append(message)
        self.open_calls, self.answers = (), {}
        self.waits_for_summary, self.last_prompt = purpose == "summary_request", None
        if purpose == "turn":
            self.question = self.prompt or self.question
            self.last_prompt, self.prompt = self.prompt, None
        if not carries_results(message["content"]):
            self.spent_before = self.spent
            total = self.sent_budget().total
            if self.sent_total not in {None, total}:
                self.uncache()
            self.sent_total = total

    def _take_bill(self, fact: StepFinished) -> None:
        """Note what a reply, appended just before, has shown of the history's size."""
        usage = fact.usage if fact.usage_known else None
        sent = len(self.messages) - self.reply_is_kept
        if sent == 1 and usage is not None:
            self.first_prompt_tokens = usage.prompt_tokens
        self.last_request = sent
        self.spent += fact.budget_tokens
        self.counted_tokens += fact.tool_result_tokens
        if self.reply_is_kept:
            # Without figures, hidden thinking may be as long as the reply could be.
            self.hidden_tokens += fact.max_tokens if usage is None else usage.thinking_tokens
            self.counted_tokens += fact.budget_tokens - fact.tool_result_tokens
            self.paused = fact.stop_reason == "pause_turn"
        self.measured = len(self.messages)
        self.baseline = None
        if usage is not None:
            self.baseline = Baseline(
                prompt_tokens=usage.prompt_tokens,
                reply_tokens=usage.output_tokens if self.reply_is_kept else 0,
                messages=len(self.messages),
            )

    def _take_answer(self, fact: ToolFinished) -> None:
        if all(call.id != fact.call_id for call in self.open_calls):
            return
        said = fact.content if isinstance(fact.content, str) else list(fact.content)
        error = {"is_error": True} if fact.is_error else {}
        block = {"type": "tool_result", "tool_use_id": fact.call_id, "content": said, **error}
        self.answers[fact.call_id] = block

    def _withdraw(self, why: str) -> None:
        """Take the last user message out; its results stay, its prompt waits again."""
        if why == "refusal" and self.reply_is_kept:
            self.messages.pop()
            self.counted_tokens -= self.baseline.reply_tokens if self.baseline else 0
            self.open_calls, self.reply_is_kept = (), False
        was_measured = self.measured >= len(self.messages)
        while self.messages and self.messages[-1]["role"] == "system":
            self.messages.pop()
            self.spoken_effort = self.message_effort() or self.effort
        if self.messages and self.messages[-1]["role"] == "user":
            last = self.messages.pop()
            results = [block for block in last["content"] if block["type"] == "tool_result"]
            self.prompt = self.last_prompt or self.prompt
            if results:
                self.messages.append({"role": "user", "content": results})
        left = len(self.messages)
        self.measured = left if was_measured else min(self.measured, left)
        self.baseline, self.waits_for_summary = None, False

    def _clear(self) -> None:
        """Empty the history, so that no thinking signature is left without its prefix."""
        self.removed_tokens, self.counted_tokens = self._removed_by_rewrite(), 0
        self.question = self.prompt or self.question
        self.messages = []
        self.open_calls, self.answers = (), {}
        self.prompt = self.last_prompt = self.baseline = self.last_request = None
        self.effort = self.spoken_effort = None
        self.paused = self.drops_bound_thinking = self.reply_is_kept = False
        self.hidden_tokens = self.first_prompt_tokens = self.measured = 0

    def _removed_by_rewrite(self) -> int:
        """Return what removed messages had used once a summary replaces the current ones."""
        reply = self.baseline.reply_tokens if self.baseline else 0
        return (self.removed_tokens or 0) + self.counted_tokens - reply

    def uncache(self) -> None:
        """Note that the next request writes the whole prompt to the cache again."""
        if self.baseline is not None:
            self.baseline = replace(self.baseline, is_cached=False)

    # What comes next

    def unanswered(self) -> list[OpenCall]:
        """Return the open calls without a result, in the order of the reply."""
        return [call for call in self.open_calls if call.id not in self.answers]

    def outgoing(self, ask: str | None = None) -> list[dict[str, Any]]:
        """Return the next user message's content; empty if the last one is sent again.

        `ask` asks for a summary in place of the prompt, which keeps waiting.
        """
        if ask is not None and self.waits_for_summary:
            return []
        blocks = [self.answers[call.id] for call in self.open_calls if call.id in self.answers]
        said = self.prompt if ask is None else ask
        if said is not None:
            blocks.append(text_block(said))
        if not blocks and self.messages and self.messages[-1]["role"] == "assistant":
            return [] if self.paused else [text_block(GO_ON)]
        return blocks

    def message_effort(self) -> str | None:
        """Return the effort that a message in the history announced last; None if none did."""
        said = (one for one in reversed(self.messages) if one["role"] == "system")
        return next((one["output_config"]["effort"] for one in said), None)

    def sent_budget(
        self, *, begins_user_turn: bool = False, after_rewrite: bool = False
    ) -> SentBudget:
        """Compute the `task_budget` of the next request.

        With `begins_user_turn`, a user message without tool results is about to be appended: there
        the server may start a fresh budget. With `after_rewrite`, a summary is about to replace the
        history.
        """
        if self.under is None:
            return SentBudget(total=None)
        return sent_budget(
            self.under.carry,
            self.under.budget,
            removed_tokens=self._removed_by_rewrite() if after_rewrite else self.removed_tokens,
            spent_before=self.spent if begins_user_turn else self.spent_before,
        )

    def known_tokens(self, total: int | None) -> int:
        """Return how much of the next prompt the cache holds under this total of the budget."""
        if self.baseline is None or not self.baseline.is_cached:
            return 0
        return self.baseline.prompt_tokens if self.sent_total in {None, total} else 0

    def sent(
        self, *, with_effort_messages: bool
    ) -> tuple[tuple[dict[str, Any], ...], tuple[int, ...]]:
        """Return the messages as sent, and the indices of those with a cache breakpoint.

        Breakpoints mark the end of the last request and of this one.
        """
        ends = {_last_user(self.messages[: self.last_request]), _last_user(self.messages)}
        kept = [
            index
            for index, message in enumerate(self.messages)
            if with_effort_messages or message["role"] != "system"
        ]
        marked = tuple(place for place, index in enumerate(kept) if index in ends)
        return tuple(self.messages[index] for index in kept), marked

    def blocks_since(self, count: int) -> list[dict[str, Any]]:
        """Return the blocks of all messages but the first `count`."""
        return [block for message in self.messages[count:] for block in message["content"]]


def carries_results(blocks: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a user message holds tool results, so that it continues a turn."""
    return any(block["type"] == "tool_result" for block in blocks)


def text_block(text: str) -> dict[str, Any]:
    """Return a text block as the API takes it."""
    return {"type": "text", "text": text}


def _last_user(messages: list[dict[str, Any]]) -> int | None:
    """Return the index of the last user message."""
    indices = reversed(range(len(messages)))
    return next((index for index in indices if messages[index]["role"] == "user"), None)
