"""The endings of a turn: each reason as one sentence, and what the user can do next."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from budget_magic.errors import ApiError, ConfigurationError, WireError, join_clauses
from budget_magic.events import Reason, State, Suggestion
from budget_magic.events.suggestion import Value
from budget_magic.loop.contexts import TurnContext
from budget_magic.loop.stuck import CompletedCall
from budget_magic.report.labels import span_text
from budget_magic.report.numbers import clock, dollars, plural, step_time
from budget_magic.report.text import one_line
from budget_magic.settings import StuckRule
from budget_magic.tools.text import explained
from budget_magic.wire import Refusal

UNAUTHORISED: Final = frozenset({401, 403})
NOT_FOUND: Final = 404
BAD_REQUEST: Final = 400
TOO_LARGE: Final = 413
SHOWN_INPUT: Final = 120
SHOWN_CATEGORY: Final = 40
SHOWN_EXPLANATION: Final = 300
LEAST_TIME_S: Final = 30.0
"""Least time that a suggested time ceiling leaves."""
FIXED: Final = "when that is fixed,"
CUT_SHORT_SHARE: Final = 0.1
"""With less of the budget left than this share, Claude may have cut its answer short."""
FROM_OUTSIDE: Final = (
    " from outside (no user is attached), by a time limit of the program that runs this or by a"
    " signal"
)
BUDGET_TOO_SMALL: Final = (
    "the budget looks too small for this task: raise it before changing anything else"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a turn ends, in one sentence, and what the user can do next."""

    state: State
    reason: Reason
    detail: str
    suggestions: tuple[Suggestion, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """How a turn was stopped from outside."""

    reason: Reason
    why: str = ""
    """What failed; empty if a person stopped it."""


class Halted(Exception):  # noqa: N818 - how a turn ends is no error
    """Unwinds a step that cannot continue; carries how the turn ends."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.detail)
        self.ending = ending


def halted(reason: Reason, detail: str, *suggestions: Suggestion) -> Ending:
    """Return an ending in the state `halted`."""
    return Ending(state="halted", reason=reason, detail=detail, suggestions=suggestions)


def _failed(reason: Reason, detail: str, *suggestions: Suggestion) -> Ending:
    return Ending(state="failed", reason=reason, detail=detail, suggestions=suggestions)


def resume(turn: TurnContext, lead: str = "", **changes: Value) -> Suggestion:
    """Return the suggestion to resume the turn with some settings changed."""
    return Suggestion(action="resume", task=turn.task.name, changes=changes, lead=lead)


def place_of(turn: TurnContext) -> str:
    """Return where a turn stopped before its next step was sent."""
    return f" in step {turn.step}" if turn.step else " before the first step"


def completed(turn: TurnContext, reason: Reason) -> Ending:
    """Return the ending for a turn that came to its natural end."""
    spend = turn.task.reading().this_turn
    parts = [plural(turn.step, "step"), plural(spend.tool_calls, "tool call")]
    if spend.cost_usd is not None:
        parts.append(dollars(spend.cost_usd))
    detail = join_clauses(", ".join(parts), filter(None, [turn.unattended]))
    ending = Ending(state="completed", reason=reason, detail=detail)
    is_cut_short = reason == "end_turn" and _is_used_up(turn) and not turn.was_denied
    return _with_word_on_budget(turn, ending) if is_cut_short else ending


def step_ceiling(turn: TurnContext) -> Ending:
    """Return the ending for the last step that the step ceiling allows."""
    steps = turn.task.settings.ceilings.steps or 0
    told = f"halted at step {turn.step}: the ceiling of {plural(steps, 'step')} a turn is reached"
    more = max(steps, turn.step) * 2  # a lowered ceiling may be far below the steps taken
    return halted("step_ceiling", told, resume(turn, max_steps=max(more, 1)))


def time_ceiling(turn: TurnContext, why: str = "", wait_s: float = 0.0) -> Ending:
    """Return the ending for a turn without time for another step.

    `why` says what would exceed the time left, if not the next step; `wait_s` are the seconds
    before anything can be sent.
    """
    ceiling = turn.task.settings.ceilings.elapsed_s or 0.0
    longer = max(round(ceiling * 2), 60)
    used_s = turn.watch.elapsed_s + wait_s
    if wait_s:
        longer = _whole_minutes(used_s + longer)
    elif longer < used_s + max(turn.longest_step_s, ceiling / 2, LEAST_TIME_S):
        longer = _whole_minutes(used_s + max(turn.longest_step_s, ceiling, LEAST_TIME_S))
    if turn.left_s is None or turn.left_s <= 0:
        told = (
            f"halted at step {turn.current_step}: the time ceiling of {clock(ceiling)} is reached"
        )
    else:
        needs = why or f"the next step could take {step_time(turn.longest_step_s)}"
        at = f"stopped at {clock(turn.watch.elapsed_s)} of {clock(ceiling)}{place_of(turn)}"
        told = f"{at}: {needs}"
    return halted("time_ceiling", told, resume(turn, max_time=longer))


def _whole_minutes(seconds: float) -> int:
    return 60 * math.ceil(seconds / 60)


def max_tokens(turn: TurnContext, limit: int) -> Ending:
    """Return the ending for a reply cut by a `max_tokens` that no ceiling had shrunk."""
    model = turn.task.model
    most = limit * 2 if model is None else model.max_output_tokens
    told = f"halted at step {turn.step}: the reply was cut at {limit:,} tokens"
    if limit < most:
        return halted("max_tokens", told, resume(turn, max_tokens=min(limit * 2, most)))
    told += f", the most that {turn.task.settings.model} writes in one reply"
    return halted("max_tokens", told, resume(turn))


def context_window(turn: TurnContext) -> Ending:
    """Return the ending for a conversation beyond the model's context window."""
    told = f"halted at step {turn.step}: the conversation no longer fits into the context window"
    lead, effect = "start over with", "and tell Claude what is known"
    restart = Suggestion(action="restart", task=turn.task.name, lead=lead, effect=effect)
    return halted("context_window", told, restart)


def refusal(turn: TurnContext, said: Refusal) -> Ending:
    """Return the ending for a reply in which Claude declined to answer; the API may say why."""
    redact = turn.task.redactor.redact  # before a cut could split a secret
    category = one_line(redact(said.category), SHOWN_CATEGORY)
    explanation = one_line(redact(said.explanation), SHOWN_EXPLANATION).rstrip(".")
    told = f"halted at step {turn.step}: Claude declined"
    told += f" (category {category})" if category else ""
    told += f": {explanation}" if explanation else ""
    ending = halted("refusal", told, Suggestion(action="rephrase", task=turn.task.name))
    is_explained = bool(category or explanation)
    return ending if is_explained and not _is_used_up(turn) else _with_word_on_budget(turn, ending)


def stuck_loop(turn: TurnContext, call: CompletedCall) -> Ending:
    """Return the ending for the same call with the same result too often."""
    rule = turn.task.stuck_rule or StuckRule()
    shown = turn.task.redactor.redact(call.input)  # before a cut could split a secret
    shown = shown if len(shown) <= SHOWN_INPUT else shown[: SHOWN_INPUT - 3] + "..."
    told = (
        f"halted at step {turn.step}: {call.name} was called {rule.repeats} times with"
        f" {shown} and the same result, within the last {rule.among} calls"
    )
    instruct = Suggestion(action="instruct", task=turn.task.name)
    return halted("stuck_loop", told, instruct, resume(turn, "or go on with"))


def _with_word_on_budget(turn: TurnContext, ending: Ending) -> Ending:
    """Return the ending, with a hint that the budget seems to have been too small, if one was sent.

    Given after a refusal that the API does not explain, and after a refusal or natural end with
    less than a tenth of the budget left (platform.claude.com, "Task budgets": too small a budget
    leads to refusals and to answers that do less than was asked). A call that was denied explains
    an early end better.
    """
    if turn.task.settings.budget is None:
        return ending
    return replace(ending, detail=f"{ending.detail}; {BUDGET_TOO_SMALL}")


def _is_used_up(turn: TurnContext) -> bool:
    """Return whether less than a tenth of the budget is left."""
    budget, left = turn.task.settings.budget, turn.task.reading().remaining
    return budget is not None and left is not None and left < budget * CUT_SHORT_SHARE


def server_compaction(turn: TurnContext) -> Ending:
    """Return the ending for a conversation that the server compacted unasked."""
    told = (
        f"step {turn.step} failed: the reply is a compaction block of the server, and a budget"
        " cannot be carried over it"
    )
    first = "take compaction and context_management out of the client, then"
    here = Suggestion(action="use", name="compact_at", effect="summarises here")
    return _failed("api_error", told, resume(turn, first), here)


def interrupted(turn: TurnContext, stopped: Stopped) -> Ending:
    """Return the ending for a turn stopped by a person, by a failing display, or from outside.

    Where no user is attached, an interrupt is no person's: nbclient and papermill, for example,
    interrupt the kernel when a cell exceeds its time limit (`interrupt_on_timeout`).
    """
    why = f": {turn.task.redactor.redact(stopped.why)}" if stopped.why else ""
    if stopped.reason == "keyboard" and not why and not turn.task.is_attended:
        why = FROM_OUTSIDE
    told = f"stopped in step {turn.current_step}{why}; what was done is kept"
    if turn.cut_off is not None:
        told += f"; cut off: {span_text(turn.cut_off.at_least_usd, turn.cut_off.unconfirmed_usd)}"
    ways = (resume(turn),)
    return Ending(state="interrupted", reason=stopped.reason, detail=told, suggestions=ways)


def broken(turn: TurnContext, error: BaseException) -> Ending:
    """Return the ending for an unexpected error: a bug here, or a hostile object."""
    what = turn.task.redactor.redact(explained(error))
    told = f"step {turn.step + 1} failed: {what}; the history is kept"
    return _failed("api_error", told, resume(turn))


def failed(turn: TurnContext, error: WireError, attempts: int) -> Ending:
    """Return the ending for a request that failed for good."""
    tries = f" after {plural(attempts, 'attempt')}" if attempts > 1 else ""
    place = f"step {turn.step + 1} failed{tries}"
    if not isinstance(error, ApiError):
        told = f"{place}: the connection broke ({error}); the history is kept"
        return _failed("connection", told, resume(turn))
    kind = f" {error.error_type}" if error.error_type else ""
    status = f"mid-stream,{kind}" if error.in_mid_stream else f"HTTP {error.status}{kind}"
    told = f"{place}: {error} ({status})"
    if error.status in UNAUTHORISED:
        go_on = resume(turn, "check the API key, then")
    elif error.status == NOT_FOUND:
        go_on = replace(resume(turn, "choose another model:"), name="model")
    elif error.status == BAD_REQUEST and "task_budget" in str(error):
        go_on = resume(turn, "run without a task budget:", budget=None)
    else:
        go_on = resume(turn, FIXED if error.status in {BAD_REQUEST, TOO_LARGE} else "")
        return _failed("api_error", f"{told}; the history is kept", go_on)
    return _failed("configuration", told, go_on)


def cannot_send(turn: TurnContext, error: ConfigurationError) -> Ending:
    """Return the ending for a client that refused to send, such as without a credential."""
    told = f"step {turn.step + 1} was not sent: {error}"
    return _failed("configuration", told, resume(turn, FIXED))


def cannot_record(turn: TurnContext) -> Ending:
    """Return the ending for a turn that a required sink could not record."""
    why = turn.task.recording_failure()
    return cannot_send(turn, ConfigurationError(f"the task cannot be recorded ({why})"))
