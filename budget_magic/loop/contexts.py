"""What a turn needs: its task's client, settings, history and accounts, and callbacks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import anyio

from budget_magic.events import AttemptFailed, Fact, Live, NoticePosted, Reason, TurnSettings
from budget_magic.loop.clock import Stopwatch
from budget_magic.loop.conversation import Conversation
from budget_magic.loop.history import History
from budget_magic.loop.reservation_gate import ReservationGate
from budget_magic.loop.stuck import CompletedCall
from budget_magic.meter.account import Account
from budget_magic.meter.cost import price_table
from budget_magic.meter.estimate import Ratios
from budget_magic.meter.reading import Reading
from budget_magic.meter.reserve import Granted
from budget_magic.models import REGION_FACTORS, US_INFERENCE, Model, PriceTable, find_model
from budget_magic.settings import StuckRule
from budget_magic.tools.approval import Call, Policy
from budget_magic.tools.context import RunInCaller
from budget_magic.tools.loop_thread import FunctionLoop
from budget_magic.tools.redactor import Redactor
from budget_magic.tools.toolbox import Toolbox

if TYPE_CHECKING:
    from budget_magic.wire.sdk import SdkClient

F = TypeVar("F", bound=Fact)


class Emit(Protocol):
    """Records a fact, and returns it as it was recorded: secrets replaced."""

    def __call__(self, fact: F, /) -> F: ...  # noqa: D102 - the class says it


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person decided about a call."""

    kind: Literal["once", "task", "denied"]
    reason: str = ""
    """Why it was denied; may be empty."""
    by: str = "person"


Approver = Callable[[Call], Awaitable[Decision]]
"""Asks a person about one call; the turn's clock is stopped meanwhile."""


@dataclass(slots=True, kw_only=True)
class TaskContext:
    """One task as the loop sees it; it outlives turns."""

    name: str
    session: object
    """The session that the task and tasks run by its tools belong to."""
    client: SdkClient
    history: History
    toolbox: Toolbox
    policy: Policy
    approver: Approver
    run_in_caller: RunInCaller
    function_loop: FunctionLoop
    redactor: Redactor
    accounts: tuple[Account, ...]
    """The chain of ceilings, the task's own first."""
    around: tuple[Account, ...]
    """The chain, including accounts that a simulated task is in without counting against them."""
    gate: ReservationGate
    own_prices: Mapping[str, PriceTable]
    emit: Emit
    live: Callable[[Live], None]
    recording_failure: Callable[[], str]
    """Returns why the turn cannot be recorded, so that it must end; empty while it can."""
    record_of_call: Callable[[str], str | None]
    """Returns the id of the record that a call began with."""
    reading: Callable[[], Reading]
    """The meter after everything emitted so far."""
    now: Callable[[], float]
    """A monotonic clock in seconds."""
    jitter: Callable[[], float]
    """A number in [0, 1)."""
    approved_tools: dict[str, object] = field(default_factory=dict)
    """Approvals for the rest of the task: `Tool.approval_key` by name of the tool."""
    is_attended: bool = True
    """Whether a user is attached, so that an interrupt is a person's."""
    stuck_rule: StuckRule | None = field(default_factory=StuckRule)
    """When the same call ends the turn; None never does."""
    definitions: tuple[dict[str, Any], ...] = field(init=False, repr=False)
    """The tools as they are sent, redacted: what their authors wrote may hold secrets."""

    def __post_init__(self) -> None:
        self.definitions = tuple(self.redactor.redact(self.toolbox.definitions()))

    @property
    def conversation(self) -> Conversation:
        """The history as it is sent."""
        return self.history.conversation

    @property
    def ratios(self) -> Ratios:
        """Characters per token, as the replies showed them."""
        return self.history.ratios

    @property
    def settings(self) -> TurnSettings:
        """The settings in force; each request reads them anew."""
        under = self.conversation.under
        assert under is not None  # noqa: S101 - a turn starts with its settings
        return under

    @property
    def model(self) -> Model | None:
        """The row of the model in force; None if the table does not know it."""
        return find_model(self.settings.model)

    @property
    def prices(self) -> PriceTable | None:
        """The prices in force; None if unknown."""
        return price_table(self.settings.model, self.own_prices)

    @property
    def worst_prices(self) -> PriceTable | None:
        """The prices at which a request is held: of fast mode, once a reply was served in it."""
        table = self.prices
        if table is None or table.fast is None or not self.client.learned.is_fast:
            return table
        return replace(table, base=table.fast, long_prompt=None, long_prompt_above=None)

    @property
    def inference_geo(self) -> str | None:
        """The region that each request names: the one in the settings, else the one learned.

        A learned region is named so that it cannot change between two requests.
        """
        if self.settings.inference_geo is not None:
            return self.settings.inference_geo
        is_taken = self.model is not None and self.model.takes_inference_geo
        can_name = is_taken and self.client.takes_inference_geo
        return self.client.learned.default_geo if can_name else None

    @property
    def factor(self) -> Decimal:
        """The worst price factor: 1.1 while the inference region is unknown."""
        if self.model is not None and not self.model.takes_inference_geo:
            return Decimal(1)
        if self.inference_geo is None or self.client.learned.ignores_geo:
            return US_INFERENCE
        return REGION_FACTORS.get(self.inference_geo, US_INFERENCE)

    def note_once(self, turn: int, text: str) -> None:
        """Post a notice unless the task has posted it before."""
        if text not in self.history.notices:
            self.emit(NoticePosted(turn=turn, text=text))

    @property
    def account(self) -> Account:
        """The task's own account."""
        return self.accounts[0]


@dataclass(slots=True, kw_only=True)
class TurnContext:
    """One turn: its task, its clock, and how far it has come."""

    task: TaskContext
    turn: int
    watch: Stopwatch
    step: int = 0
    """Steps finished; a resumed turn continues counting."""
    longest_step_s: float = 0.0
    is_first_request: bool = True
    """Until a request is answered; a retry of the first one is still the first."""
    was_denied: bool = False
    """Whether approval of a call was denied."""
    unattended: str = ""
    """Why a call was denied without asking anyone; empty if none was."""
    reply_was_cut: bool = False
    """Whether the last reply was cut off, so that none of its calls may run."""
    may_compact: bool = True
    """Until a summary was asked for and none came."""
    started_calls: set[str] = field(default_factory=set)
    """Ids of calls that began to run."""
    completed_calls: list[CompletedCall] = field(default_factory=list)
    """Calls that ran since the turn was started or resumed, oldest first."""
    repeated: CompletedCall | None = None
    """The call that came too often."""
    deadline: anyio.CancelScope | None = None
    """What the time ceiling cancels; moved when that is raised."""
    attempt: int = 1
    """Number of the attempt within the step."""
    is_sending: bool = False
    """Whether the next step's request is admitted and not answered yet."""
    granted: Granted | None = None
    """What was held for the last request, settled or not."""
    cut_off: AttemptFailed | None = None
    """The attempt that an interrupt cut off."""
    cut_by: Reason | None = None
    """The ceiling that shrank `max_tokens`, so that the last reply was cut."""
    counted_tokens: int | None = None
    """The API's count of the next prompt without the last-answer sentence; None if not counted."""

    @property
    def current_step(self) -> int:
        """The current step, from 1; between two steps the last one."""
        return max(self.step + self.is_sending, 1)

    @property
    def left_s(self) -> float | None:
        """Seconds left under the time ceiling; None without one."""
        ceiling = self.task.settings.ceilings.elapsed_s
        return None if ceiling is None else ceiling - self.watch.elapsed_s

    @contextmanager
    def until_time_is_up(self) -> Iterator[anyio.CancelScope]:
        """Cancel what runs inside when the time ceiling is reached."""
        with anyio.move_on_after(self.left_s) as scope:
            self.deadline = scope
            try:
                yield scope
            finally:
                self.deadline = None

    @property
    def last_step_by(self) -> Reason | None:
        """The step or time ceiling that leaves room for only one more step; None if neither does.

        Time is short when less of it is left than the longest step took.
        """
        steps = self.task.settings.ceilings.steps
        if steps is not None and self.step + 1 >= steps:
            return "step_ceiling"
        is_short = self.left_s is not None and self.left_s < self.longest_step_s
        return "time_ceiling" if is_short else None
