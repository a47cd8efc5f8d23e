"""The kinds of facts: one frozen class each, in the past tense, never edited afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal

from budget_magic.events.suggestion import Suggestion
from budget_magic.events.usage import Usage
from budget_magic.settings import RecordedSettings

State = Literal["running", "completed", "halted", "interrupted", "failed"]
Reason = Literal[
    "end_turn", "stop_sequence",
    "cost_ceiling", "token_ceiling", "step_ceiling", "time_ceiling", "session_ceiling",
    "monthly_cap", "stuck_loop", "max_tokens", "context_window", "refusal",
    "keyboard", "stop_button",
    "api_error", "connection", "configuration",
]  # fmt: skip
CUT_OFF_MARK: Final = "[cut off here]"
"""The last line of a turn's text if its last reply did not end."""
DeltaKind = Literal["thinking", "text", "call"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnSettings(RecordedSettings):
    """The settings under which requests of a turn are sent."""

    client: str
    """`anthropic`, `simulator`, or the notebook's name of the client."""
    simulated: str | None
    """Why Claude is simulated ("no API key found"); None with a real client."""
    max_tokens: int
    system: str
    tools: tuple[str, ...]
    root: str
    approve: str
    """`ask`, `all`, `none`, or `function` if the caller passed one."""
    user_prices: bool = False
    """Whether the user gave the prices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfTurn:
    kind: str
    turn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfStep(_OfTurn):
    step: int
    """Number of the request within the turn, from 1: the one under way, else the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfCall(_OfStep):
    call_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Booked(_OfStep):
    unconfirmed_usd: Decimal = Decimal(0)
    """What the request may have cost at most, beside what its usage figures confirm."""
    unconfirmed_tokens: int = 0
    """The same in tokens that count against the token ceiling."""
    at_least_usd: Decimal = Decimal(0)
    """The streamed part of `unconfirmed_usd`, an estimate."""
    at_least_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStarted(_OfTurn):
    """A prompt was accepted, or a turn that had ended was resumed."""

    kind: Literal["turn_started"] = "turn_started"
    settings: TurnSettings
    prompt_typed: str = ""
    prompt_sent: str = ""
    inserted: tuple[str, ...] = ()
    """The `{{ }}` expressions whose values were put into the prompt."""
    cell_id: str | None = None
    resumed: bool = False
    rewinds_to: int | None = None
    """The turn whose start the history returned to; None if it continues from its end."""
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolsOffered(_OfTurn):
    """The tools that requests offer from now on; recorded when they change."""

    kind: Literal["tools_offered"] = "tools_offered"
    definitions: tuple[dict[str, Any], ...]
    """The entries of the API's `tools`, as they are sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsChanged(_OfTurn):
    """Settings of a running turn changed; they hold from the next request on."""

    kind: Literal["settings_changed"] = "settings_changed"
    settings: TurnSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticePosted(_OfTurn):
    """Something the reader should know, in one sentence."""

    kind: Literal["notice_posted"] = "notice_posted"
    text: str
    suggestions: tuple[Suggestion, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageAppended(_OfStep):
    """A message entered the history.

    Required sinks get it exactly as it is sent: secrets were replaced in what the user and tools
    said, and what Claude wrote goes back as it was written and signed. Views get it with all
    secrets replaced.
    """

    kind: Literal["message_appended"] = "message_appended"
    message: dict[str, Any]
    """`role` and `content` as the API's JSON, including blocks that are never sent."""
    left_out: tuple[int, ...] = ()
    """Indices of blocks that the API would refuse: they are shown but never sent."""
    faults: dict[str, str] = field(default_factory=dict)
    """Why a call of the reply cannot run, by call id."""
    purpose: Literal["turn", "summary_request", "summary"] = "turn"

    @property
    def sent(self) -> dict[str, Any] | None:
        """The message as it is sent; None if none of it is."""
        content = self.message["content"]
        if not self.left_out:
            return self.message if content or self.message["role"] == "system" else None
        kept = [block for index, block in enumerate(content) if index not in self.left_out]
        return {**self.message, "content": kept} if kept else None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesWithdrawn(_OfStep):
    """The last user message left the history; its tool results stay and its prompt waits again."""

    kind: Literal["messages_withdrawn"] = "messages_withdrawn"
    why: Literal["refusal", "no_summary"]
    """After a refusal, the refused reply is withdrawn too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EffortChanged(_OfStep):
    """Requests name another effort at their top level, which writes the cached prefix anew."""

    kind: Literal["effort_changed"] = "effort_changed"
    effort: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted(_OfStep):
    """A request is about to be sent; its worst case is held until it is settled."""

    kind: Literal["step_started"] = "step_started"
    effort: str
    max_tokens: int
    last_answer: bool = False
    """Claude was asked for a final summary; calls in the reply are not run."""
    held_usd: Decimal | None = None
    """Worst case of the request in US dollars; None without a price."""
    held_tokens: int = 0
    """The same in tokens that count against the token ceiling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed(_Booked):
    """A request ended without `message_stop`; nothing is booked if it cannot have been billed."""

    kind: Literal["attempt_failed"] = "attempt_failed"
    attempt: int
    """Number of the attempt within the step, from 1."""
    why: str
    streamed_text: str = ""
    """Text of the reply that had streamed when the request ended; empty if none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldReleased(_OfTurn):
    """What a turn's requests of unknown cost held was released; what had streamed still counts."""

    kind: Literal["held_released"] = "held_released"
    requests: int
    """Cut off, or answered with invalid usage."""
    replies: int = 0
    """How many of them were answered."""
    released_usd: Decimal = Decimal(0)
    released_tokens: int = 0
    kept_usd: Decimal = Decimal(0)
    """What had streamed, an estimate; it stays unconfirmed."""
    kept_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryScheduled(_OfStep):
    """The step is tried again after a pause."""

    kind: Literal["retry_scheduled"] = "retry_scheduled"
    attempt: int
    """Number of the next attempt."""
    attempts: int
    """Most attempts of a step."""
    wait_s: float
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitStarted(_OfStep):
    """A request waits for room that other requests hold under a shared ceiling."""

    kind: Literal["wait_started"] = "wait_started"
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitFinished(_OfStep):
    """The wait for room is over."""

    kind: Literal["wait_finished"] = "wait_finished"
    waited_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinished(_Booked):
    """One reply, complete and billed; the `MessageAppended` before it holds its content."""

    kind: Literal["step_finished"] = "step_finished"
    model: str
    """Model that the reply names; the requested one if it names none."""
    stop_reason: str | None
    usage: Usage
    usage_known: bool = True
    """False if the reply's figures are invalid: then `usage` is empty, the counted tokens are an
    estimate, and the worst case of the request is unconfirmed."""
    tool_result_tokens: int
    """Tokens of tool results that are new in this step's prompt, measured from prompt sizes."""
    tool_result_tokens_estimated: bool = False
    """True if other new text stood beside the results, or after a rewrite of the history."""
    call_tokens: int = 0
    """Share of tool calls in the output tokens."""
    text_tokens: int = 0
    """Share of text in the output tokens."""
    split_estimated: bool = False
    """True if the reply held both calls and text: the API does not say which used how many."""
    budget_tokens: int
    """Counted against the task budget: output tokens and tool-result tokens of this step."""
    remaining: int | None
    """Left of the task's budget after this step, by our own meter; None without a budget."""
    cost_usd: Decimal | None
    """US dollars at the prices in force; None if no price is known."""
    cost_estimated: bool = False
    """True if the price in force is uncertain; a notice says why."""
    elapsed_s: float
    turn_elapsed_s: float = 0.0
    """Running time of the turn at the end of the reply, in seconds."""
    request_id: str | None = None
    max_tokens: int = 0
    """`max_tokens` of the request."""
    requested_geo: str | None = None
    """Inference region that the request named."""
    counted_prompt_tokens: int | None = None
    """The API's count of the prompt before it was sent; None if it was not counted."""
    streamed_characters: dict[DeltaKind, int] = field(default_factory=dict)
    streamed_blocks: int = 0
    """Blocks of text and calls; thinking is not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRewritten(_OfStep):
    """The summary that this step wrote replaces the history; its message follows."""

    kind: Literal["history_rewritten"] = "history_rewritten"
    removed_messages: int
    remaining: int | None
    """Sent beside the budget's total until the next rewrite; None if not sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalAsked(_OfCall):
    """A call waits for a person; the turn's clock is stopped."""

    kind: Literal["approval_asked"] = "approval_asked"
    input: dict[str, Any]
    why: str
    behind: int = 0
    """How many later calls of the same reply will be asked about, one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalGiven(_OfCall):
    """A call was approved or denied."""

    kind: Literal["approval_given"] = "approval_given"
    decision: Literal["once", "task", "denied"]
    by: str
    """`person`, `policy`, `function`, or `nobody` if no user was attached."""
    reason: str = ""
    """Why it was denied; may be empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStarted(_OfCall):
    """A tool call began to run."""

    kind: Literal["tool_started"] = "tool_started"
    input: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFinished(_OfCall):
    """A tool call was answered, as it will be sent: secrets replaced, length capped."""

    kind: Literal["tool_finished"] = "tool_finished"
    content: str | tuple[dict[str, Any], ...]
    """Text, or content blocks (text, image, document) as the API's JSON."""
    summary: str = ""
    """What views show; empty if they show the text itself."""
    is_error: bool = False
    ran: bool = True
    """False if the call was answered without running it ("not run: ...")."""
    cut_bytes: int = 0
    """UTF-8 bytes cut from the middle."""
    elapsed_s: float = 0.0

    @property
    def shown(self) -> str:
        """The result as views show it."""
        return self.summary or (self.content if isinstance(self.content, str) else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksRun(_OfStep):
    """Tools of this turn spent more, by tasks they ran or on their own; the ceilings count it."""

    kind: Literal["tasks_run"] = "tasks_run"
    cost_usd: Decimal
    """Since the last such fact; not on this task's bill."""
    tokens: int
    """The same in tokens that count against the token ceiling."""
    unconfirmed_usd: Decimal = Decimal(0)
    """What they may have spent beside it; negative if it was released."""
    unconfirmed_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFinished(_OfStep):
    """The turn ended, after `step` steps."""

    kind: Literal["turn_finished"] = "turn_finished"
    state: State
    reason: Reason
    detail: str
    """What happened, a sentence in lower case; `suggestions` hold what to do about it."""
    text: str
    """Final text of the assistant, or the turn's text so far, marked where a reply was cut off."""
    elapsed_s: float
    suggestions: tuple[Suggestion, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockStarted:
    """A content block began to stream (live only, never recorded)."""

    turn: int
    step: int
    block: int
    kind: DeltaKind
    name: str = ""
    """Name of the tool if the block is a call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """A piece of a streaming block (live only, never recorded)."""

    turn: int
    step: int
    block: int
    kind: DeltaKind
    text: str


Fact = (
    TurnStarted | ToolsOffered | SettingsChanged | NoticePosted | EffortChanged | MessageAppended
    | MessagesWithdrawn | StepStarted | AttemptFailed | HeldReleased | RetryScheduled | WaitStarted
    | WaitFinished | StepFinished | HistoryRewritten | ApprovalAsked | ApprovalGiven | ToolStarted
    | ToolFinished | TasksRun | TurnFinished
)  # fmt: skip
"""Everything that is recorded."""

Live = BlockStarted | Delta
"""What is only shown while it streams."""
