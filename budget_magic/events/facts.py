"""WHAT HAPPENED: one frozen class per kind of fact, in the past tense, never edited afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from budget_magic.events.ceilings import Ceilings
from budget_magic.events.suggestion import Suggestion
from budget_magic.events.usage import Usage

State = Literal["running", "completed", "halted", "interrupted", "failed"]
Reason = Literal[
    "end_turn", "stop_sequence",
    "cost_ceiling", "token_ceiling", "step_ceiling", "time_ceiling", "session_ceiling",
    "monthly_cap", "stuck_loop", "max_tokens", "context_window", "refusal",
    "keyboard", "stop_button",
    "api_error", "connection", "configuration",
]  # fmt: skip
DeltaKind = Literal["thinking", "text", "call"]
Carry = Literal["today", "documented"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnSettings:
    """The settings under which requests of a turn are sent."""

    client: str
    """`anthropic`, `simulator`, or the notebook's name of the client."""
    simulated: str | None
    """Why Claude is simulated ("no API key found"); None with a real client."""
    model: str
    effort: str
    budget: int | None
    """Total of the task budget in tokens; None sends none."""
    carry: Carry = "today"
    """What a later prompt sends of the budget; see `budget_magic.loop.budget_carryover`."""
    compact_at: int | None = None
    """Tokens of the prompt at which a summary replaces the history; None keeps it whole."""
    max_tokens: int
    ceilings: Ceilings
    system: str
    tools: tuple[str, ...]
    root: str
    approve: str
    """`ask`, `all`, `none`, or `function` where the caller gave one."""
    wrap_up: bool
    """Whether room is kept for a last answer."""
    user_prices: bool = False
    """True where the dollars are reckoned by prices that the user gave."""
    inference_geo: str | None = None
    """Region that the requests ask for; None leaves it to the workspace's default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStarted:
    """A prompt was accepted; `resumed` where a turn that had ended goes on."""

    kind: Literal["turn_started"] = "turn_started"
    turn: int
    settings: TurnSettings
    prompt_typed: str = ""
    prompt_sent: str = ""
    inserted: tuple[str, ...] = ()
    """The `{{ }}` expressions whose values were put into the prompt."""
    cell_id: str | None = None
    resumed: bool = False
    rewinds_to: int | None = None
    """The turn before which the history went back; None where it goes on from its end."""
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolsOffered:
    """The tools that requests offer from here on; recorded where they differ from before."""

    kind: Literal["tools_offered"] = "tools_offered"
    turn: int
    definitions: tuple[dict[str, Any], ...]
    """The entries of the API's `tools`, as they are sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsChanged:
    """Settings of a running turn changed; they hold from the next request on."""

    kind: Literal["settings_changed"] = "settings_changed"
    turn: int
    settings: TurnSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticePosted:
    """Something the reader should know, in one sentence."""

    kind: Literal["notice_posted"] = "notice_posted"
    turn: int
    text: str
    suggestions: tuple[Suggestion, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageAppended:
    """A message entered the history.

    Required sinks get it exactly as it is sent: secrets were replaced in what the user and tools
    said, and what Claude wrote goes back as it was written and signed. Views get it with all
    secrets replaced.
    """

    kind: Literal["message_appended"] = "message_appended"
    turn: int
    step: int
    """The step whose request sends it first, or whose reply it is."""
    message: dict[str, Any]
    """`role` and `content` as the API's JSON, blocks that are never sent among them."""
    left_out: tuple[int, ...] = ()
    """Places of blocks that the API would refuse: they are shown and never sent."""
    faults: dict[str, str] = field(default_factory=dict)
    """Why a call of the reply cannot be run, by its id."""
    purpose: Literal["turn", "summary_request", "summary"] = "turn"
    """What a user message is for: the turn's own, or asking for and giving a summary."""

    @property
    def sent(self) -> dict[str, Any] | None:
        """The message as it is sent; None where nothing of it is."""
        content = self.message["content"]
        if not self.left_out:
            return self.message if content or self.message["role"] == "system" else None
        kept = [block for place, block in enumerate(content) if place not in self.left_out]
        return {**self.message, "content": kept} if kept else None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesWithdrawn:
    """The last user message left the history, but for its tool results; its prompt waits again."""

    kind: Literal["messages_withdrawn"] = "messages_withdrawn"
    turn: int
    step: int
    why: Literal["refusal", "no_summary"]
    """A refused reply leaves with it; or a request for a summary got none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EffortChanged:
    """Requests name another effort at their top level, which writes the cached prefix anew."""

    kind: Literal["effort_changed"] = "effort_changed"
    turn: int
    step: int
    effort: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    """A request is about to be sent; its worst case is held until it is settled."""

    kind: Literal["step_started"] = "step_started"
    turn: int
    step: int
    """Number of the request within the turn, from 1."""
    effort: str
    max_tokens: int
    last_answer: bool = False
    """Claude was asked for a final summary; calls in the reply are not run."""
    held_usd: Decimal | None = None
    """Worst case of the request in US dollars; None without a price."""
    held_tokens: int = 0
    """Worst case of the request in tokens that count against the token ceiling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed:
    """A request did not end with `message_stop`."""

    kind: Literal["attempt_failed"] = "attempt_failed"
    turn: int
    step: int
    attempt: int
    """Number of the attempt within the step, from 1."""
    why: str
    unconfirmed_usd: Decimal = Decimal(0)
    """What the attempt may have cost at most; 0 where nothing can have been billed."""
    unconfirmed_tokens: int = 0
    at_least_usd: Decimal = Decimal(0)
    """What the streamed part cost at least, an estimate."""
    at_least_tokens: int = 0
    """Likewise, the part of `unconfirmed_tokens`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldReleased:
    """What requests of unknown cost held was released; what had streamed still counts."""

    kind: Literal["held_released"] = "held_released"
    turn: int
    """The turn whose requests they were."""
    requests: int
    """Cut off, or answered with invalid usage."""
    replies: int = 0
    """Those that were answered."""
    released_usd: Decimal = Decimal(0)
    """No longer unconfirmed."""
    released_tokens: int = 0
    """Likewise."""
    kept_usd: Decimal = Decimal(0)
    """What had streamed, an estimate; it stays unconfirmed."""
    kept_tokens: int = 0
    """Likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryScheduled:
    """The step is tried again after a pause."""

    kind: Literal["retry_scheduled"] = "retry_scheduled"
    turn: int
    step: int
    attempt: int
    """Number of the attempt to come."""
    attempts: int
    """How many attempts a step has at most."""
    wait_s: float
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitStarted:
    """A request waits for room that other requests hold under a shared ceiling."""

    kind: Literal["wait_started"] = "wait_started"
    turn: int
    step: int
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitFinished:
    """The wait for room is over."""

    kind: Literal["wait_finished"] = "wait_finished"
    turn: int
    step: int
    waited_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinished:
    """One reply of the Messages API, complete and billed; `MessageAppended` before it holds it."""

    kind: Literal["step_finished"] = "step_finished"
    turn: int
    step: int
    model: str
    """Model that answered, as the reply names it; the one asked for where it names none."""
    stop_reason: str | None
    usage: Usage
    usage_known: bool = True
    """False where the reply's figures cannot be right: then `usage` is empty, the counted tokens
    are an estimate, and the worst case of the request is unconfirmed."""
    tool_result_tokens: int
    """Tokens of the tool results that this step's prompt brought in, measured from prompt sizes."""
    tool_result_tokens_estimated: bool = False
    """True where other new text stood beside the results, or after a rewrite of the history."""
    call_tokens: int = 0
    """Share of tool calls in the output tokens."""
    text_tokens: int = 0
    """Share of text in the output tokens."""
    split_estimated: bool = False
    """True where the reply held both calls and text: the API does not say which used how many."""
    budget_tokens: int
    """Counted against the task budget: output tokens and tool-result tokens of this step."""
    remaining: int | None
    """Left of the task's budget after this step, by our own meter; None without a budget."""
    cost_usd: Decimal | None
    """US dollars at the prices in force; None where no price is known."""
    cost_estimated: bool = False
    """True where the price that holds is not known for sure; a note says why."""
    unconfirmed_usd: Decimal = Decimal(0)
    """What the reply may have cost beside `cost_usd`."""
    unconfirmed_tokens: int = 0
    """Likewise in tokens that count against the token ceiling."""
    at_least_usd: Decimal = Decimal(0)
    """The part of `unconfirmed_usd` that had streamed, an estimate; 0 where `usage_known`."""
    at_least_tokens: int = 0
    """Likewise, of `unconfirmed_tokens`."""
    elapsed_s: float
    request_id: str | None = None
    max_tokens: int = 0
    """Cap of the reply in its request."""
    requested_geo: str | None = None
    """Inference region that the request named."""
    counted_prompt_tokens: int | None = None
    """The prompt as the API had counted it beforehand; None where it was not counted."""
    streamed_characters: dict[DeltaKind, int] = field(default_factory=dict)
    """What streamed, by kind of block."""
    streamed_blocks: int = 0
    """How many blocks of text and calls streamed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRewritten:
    """The summary that this step wrote takes the place of the history: its message follows."""

    kind: Literal["history_rewritten"] = "history_rewritten"
    turn: int
    step: int
    removed_messages: int
    remaining: int | None
    """Sent beside the budget's total until the next rewrite; None where none is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalAsked:
    """A call waits for a person; the turn's clock is stopped."""

    kind: Literal["approval_asked"] = "approval_asked"
    turn: int
    step: int
    call_id: str
    name: str
    input: dict[str, Any]
    why: str
    """Why it asks, such as "It is a function of this notebook, so it asks."."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalGiven:
    """A call was approved or denied."""

    kind: Literal["approval_given"] = "approval_given"
    turn: int
    step: int
    call_id: str
    name: str
    decision: Literal["once", "task", "denied"]
    by: str
    """`person`, `policy` or `function`."""
    reason: str = ""
    """Why it was denied; empty where nothing was said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStarted:
    """A tool call began to run."""

    kind: Literal["tool_started"] = "tool_started"
    turn: int
    step: int
    call_id: str
    name: str
    input: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFinished:
    """A tool call has its answer, as it will be sent: secrets replaced, length capped."""

    kind: Literal["tool_finished"] = "tool_finished"
    turn: int
    step: int
    call_id: str
    name: str
    content: str
    is_error: bool = False
    ran: bool = True
    """False where the call was answered without running it ("not run: ...")."""
    cut_bytes: int = 0
    """UTF-8 bytes left out of the middle to keep the cap."""
    elapsed_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksRun:
    """Tasks that tools of this turn ran have used more; this task's ceilings count it too."""

    kind: Literal["tasks_run"] = "tasks_run"
    turn: int
    step: int
    cost_usd: Decimal
    """Since the last such fact; on the bills of those tasks, not on this one's."""
    tokens: int
    """Likewise, tokens that count against the token ceiling."""
    unconfirmed_usd: Decimal = Decimal(0)
    """What they may have used beside it; below 0 where it was released."""
    unconfirmed_tokens: int = 0
    """Likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFinished:
    """The turn ended."""

    kind: Literal["turn_finished"] = "turn_finished"
    turn: int
    step: int
    """Steps of the turn so far."""
    state: State
    reason: Reason
    detail: str
    """One sentence in lower case, without the way out."""
    text: str
    """Final text of the assistant, or the turn's text so far."""
    elapsed_s: float
    suggestions: tuple[Suggestion, ...] = ()
    """What the user can do next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockStarted:
    """A content block began to stream (live only, never recorded)."""

    turn: int
    step: int
    block: int
    kind: DeltaKind
    name: str = ""
    """Name of the tool where the block is a call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """A piece of a streaming block (live only, never recorded)."""

    turn: int
    step: int
    block: int
    kind: DeltaKind
    text: str


Fact = (
    TurnStarted
    | ToolsOffered
    | SettingsChanged
    | NoticePosted
    | EffortChanged
    | MessageAppended
    | MessagesWithdrawn
    | StepStarted
    | AttemptFailed
    | HeldReleased
    | RetryScheduled
    | WaitStarted
    | WaitFinished
    | StepFinished
    | HistoryRewritten
    | ApprovalAsked
    | ApprovalGiven
    | ToolStarted
    | ToolFinished
    | TasksRun
    | TurnFinished
)
"""Everything that is recorded."""

Live = BlockStarted | Delta
"""What is only shown while it streams."""
