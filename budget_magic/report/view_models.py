"""The shapes of a view: everything that a reader is shown, as values.

Texts are cleaned and ready; raw figures stand beside them for drawing. Shares run from 0 to 1.
Amounts are strings, so that `dataclasses.asdict` gives JSON values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from budget_magic.meter import Kinds

StateName = Literal[
    "running", "retrying", "waiting", "wrapping_up", "stopping",
    "completed", "halted", "interrupted", "failed",
]  # fmt: skip
KindName = Literal["thinking", "calls", "results", "text"]
MarkKind = Literal[
    "error", "approved", "denied", "not_run", "last_answer", "summary", "retried", "cut",
    "streaming", "waiting", "running",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveState:
    """What streams right now."""

    step: int
    doing: str
    """`thinking`, `writing`, a tool's name, `waiting for approval`, `retrying` or `stopping`."""
    elapsed_s: float
    """Running time of the turn so far, waiting excluded."""
    step_elapsed_s: float = 0.0
    has_begun: bool = False
    """Whether anything of the reply has come."""
    streaming: Kinds = field(default_factory=Kinds)
    """Estimated tokens: what streamed so far, and the results in the prompt of the step."""
    estimated_usd: Decimal | None = None
    """What the step cost so far, an estimate."""
    retry_in_s: float | None = None
    """Seconds until the next try; None where the record's pause is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateView:
    """The state in words and marks."""

    name: StateName
    word: str
    """"Running", "Waiting for you", "Completed", ..."""
    glyph: str
    ascii: str
    """The word for terminals without UTF-8: `RUN`, `ASK`, `LAST`, `OK`, `HALT`, `STOP`, `FAIL`."""
    ended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TagView:
    """A tag on any state."""

    text: str
    """`simulated`."""
    sentence: str
    """Why, in full sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictView:
    """How a turn ended and how it goes on; the command stands apart."""

    sentence: str
    lead: str = ""
    """What leads to the command: "Go on with"; empty without one, or where `after` tells."""
    command: str = ""
    after: str = ""
    """What follows the command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindView:
    """One kind of budget tokens."""

    kind: KindName
    label: str
    glyph: str
    ascii: str
    tokens: int
    """Counted, what streams now included."""
    text: str
    """`tokens` as shown: ≈ where it is an estimate, "at least" where thinking streams."""
    estimated: bool
    share: float
    """Of the bar, without what streams now."""
    live_tokens: int = 0
    live_share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GaugeView:
    """The task's budget: what is left and what it went to, over all turns."""

    budget: int | None
    used: int
    remaining: int | None
    number: str
    """The large number: left, or over, or used where there is no budget."""
    caption: str
    """What the number is: "tokens left of 64,000"."""
    used_text: str
    """"60 % used"; over the budget with a word on what that means; empty without a budget."""
    over: bool
    kinds: tuple[KindView, ...]
    """Always four, in the same order."""
    limit_share: float | None
    """Where on the bar the budget ends; None unless it was overrun."""
    began_share: float | None
    """Where on the bar this turn began; None in a task's first turn."""
    limit_text: str
    """What stands at `limit_share`; empty without it."""
    began_text: str
    """What stands at `began_share`: "this turn began with 25,450 left"; empty without it."""
    turn_line: str
    """What this turn alone used; empty in a task's first turn."""
    spoken: str
    """All of it in one sentence, for screen readers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceView:
    """How fast the budget goes."""

    left: tuple[int, ...]
    """Left before the turn's first step and after each step; empty without a budget."""
    shares: tuple[float, ...]
    """`left` as shares of the budget."""
    tokens_a_step: float
    more_steps: int | None
    """About how many more steps fit at this pace; None after the turn or without a budget."""
    text: str
    """"4,820 a step, about 6 more"; empty before the first step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CeilingView:
    """One ceiling: spent, held and how near."""

    kind: Literal["cost", "tokens", "steps", "time"]
    label: str
    spent: str
    held: str
    """What counts beside `spent`: "$0.64 held", or "$0.01 unconfirmed"; empty for nothing."""
    ceiling: str
    """Empty where it is open."""
    of: str
    """What follows `spent`: "of $5.00" or "no ceiling"."""
    share: float
    held_share: float
    percent: str
    """Spent of the ceiling; empty where it is open."""
    level: Literal["", "near", "reached"]
    nearest: bool
    word: str
    """`nearest`, `near`, `reached`, `halted here` or empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputView:
    """Prompt tokens of the task, by where they came from."""

    cached: str
    new: str
    cached_tokens: int
    new_tokens: int
    cached_share: float
    percent: str
    """"76 % from the cache"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BillRow:
    """One line of the bill."""

    kind: Literal["cache_read", "cache_write", "fresh", "output", "search"]
    label: str
    tokens: str
    count: int
    usd_per_mtok: str
    cost: str
    """Empty where the prices are not known here."""
    token_share: float
    cost_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MetersView:
    """The two meters: counted against the budget, and billed."""

    counted: str
    billed: str
    cost: str
    counted_share: float
    """Counted on the scale of billed."""
    rows: tuple[BillRow, ...]
    total_cost: str
    """The bill to four places."""
    source: str
    """Where the prices come from and of when."""
    scope: str
    """`whole task`; empty where that is only this turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkView:
    """A mark on a step's row."""

    kind: MarkKind
    text: str
    glyph: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TitlePart:
    """One tool of a step's title, how often, and with what; words only where it has no name."""

    name: str = ""
    times: int = 1
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockView:
    """One part of a step: what Claude thought, wrote or called, or what a tool answered."""

    kind: Literal["thinking", "text", "call", "result"]
    name: str = ""
    """Tool of a call or a result."""
    call_id: str = ""
    index: int | None = None
    """Place in the reply's content; None for a result."""
    text: str
    """The whole text, cleaned; a call as `name(key="value")`."""
    is_error: bool = False
    ran: bool = True
    lines: int = 1
    tokens: int | None = None
    """Measured size; None where it is not known for this part alone."""
    label: str
    """`thinking`, `text`, `call`, "result, 2,266 tokens", "✕ error, 64 tokens"."""
    cut: str = ""
    """What is not in `text`: "1,024 bytes left out before it was sent"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    """One step: a row, and what is under it."""

    number: int
    state: Literal["done", "live", "cut"]
    """`cut`: the reply never came to its end."""
    title: str
    parts: tuple[TitlePart, ...]
    marks: tuple[MarkView, ...]
    tokens: Kinds
    """What it counted, by kind."""
    streaming: Kinds
    """What streams now, by kind: estimates."""
    counted: str
    counted_tokens: int
    cost: str
    cost_usd: str
    """Exact decimal; empty where it is unknown or not booked yet."""
    time: str
    estimated: bool
    """True while it streams: counted and cost are estimates."""
    last_answer: bool
    blocks: tuple[BlockView, ...]
    why: str
    """Why it counted and cost that: "thinking 3,120, ... · input 25,283 cached, ..."."""
    notable: bool
    """Holds an error or a decision of a person: its body is kept in saved output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputField:
    """One part of a call's input, whole and exact: see `exact`."""

    name: str
    value: str
    size: str = ""
    """"12,400 characters"; empty where all of it is seen at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalView:
    """A call that waits for a person."""

    call_id: str
    name: str
    sentence: str
    """"Claude wants to run edit_file. It changes a file, so it asks."."""
    fields: tuple[InputField, ...]
    """The whole input, name by name."""
    place: str
    """"1 of 2 waiting"; empty where it is the only one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnView:
    """Everything that a reader of one turn is shown."""

    task: str
    turn: int
    heading: str
    """"audit turn 1"."""
    model: str
    effort: str
    effort_text: str
    """"effort high"; empty where the model has no effort."""
    state: StateView
    reason: str
    now: str
    """Beside the state: "step 8, writing"; after the end "8 steps, 9 tool calls, $0.55 in 1:35"."""
    verdict: VerdictView | None
    """None while the turn runs and where it completed."""
    tags: tuple[TagView, ...]
    notes: tuple[str, ...]
    gauge: GaugeView
    pace: PaceView
    ceilings: tuple[CeilingView, ...]
    """Cost, tokens, steps, time, in this order."""
    input: InputView
    meters: MetersView
    answer: str
    """Markdown, cleaned; empty while the turn runs."""
    steps: tuple[StepView, ...]
    scope: str
    """What Claude could see: "files below ~/project; filled in: frame"; empty without either."""
    steps_text: str
    """"8 steps, 9 tool calls"."""
    approvals: tuple[ApprovalView, ...]
    unconfirmed: str
    """What cut-off requests may have cost; empty without one or where the verdict says it."""
    transcript: str
    """How to look at the transcript."""
    save_transcript: bool
    """False: saved output keeps only figures and answer; the live panel shows all."""
