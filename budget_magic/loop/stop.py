"""Why a turn ends: each reason as one sentence, and what the user can do next."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from decimal import ROUND_UP, Decimal
from typing import Final

from budget_magic.errors import ApiError, ConfigurationError, WireError
from budget_magic.events import Reason, State, Suggestion
from budget_magic.events.suggestion import Value
from budget_magic.loop.stuck import CompletedCall
from budget_magic.loop.task import TurnContext
from budget_magic.meter.account import Account, Amount
from budget_magic.report.labels import held_for, span_text
from budget_magic.report.numbers import (
    ceiling_dollars,
    clock,
    dollars,
    plural,
    spent_dollars,
    step_time,
)
from budget_magic.settings import StuckRule
from budget_magic.tools.text import explained

UNAUTHORISED: Final = frozenset({401, 403})
NOT_FOUND: Final = 404
BAD_REQUEST: Final = 400
TOO_LARGE: Final = 413
CENT: Final = Decimal("0.01")
MORE: Final = Decimal("1.5")
"""How far a suggested ceiling lies above the one that was reached."""
SHOWN_INPUT: Final = 120
FIXED: Final = "when that is fixed,"
LITTLE_SHARE: Final = 0.1
BUDGET_TOO_SMALL: Final = (
    "the budget looks too small for this task: raise it before changing anything else"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """State, reason, the sentence, and what the user can do next."""

    state: State
    reason: Reason
    detail: str
    suggestions: tuple[Suggestion, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """What the step that was not sent would have needed at most."""

    alone: Amount
    """By itself."""
    beside_last_answer: Amount
    """With the last answer after it, for which room is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """That a turn was stopped from outside, and how."""

    reason: Reason
    why: str = ""
    """What failed; empty where a person stopped it."""


class Halted(Exception):  # noqa: N818 - how a turn ends is no error
    """Unwinds a step that cannot go on; carries how the turn ends."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.detail)
        self.ending = ending


def completed(turn: TurnContext, reason: Reason) -> Ending:
    """Return the ending for a turn that came to its natural end."""
    spend = turn.task.reading().this_turn
    parts = [plural(turn.step, "step"), plural(spend.tool_calls, "tool call")]
    if spend.cost_usd is not None:
        parts.append(dollars(spend.cost_usd))
    return Ending(state="completed", reason=reason, detail=", ".join(parts))


def step_ceiling(turn: TurnContext) -> Ending:
    """Return the ending for the last step that the step ceiling allows."""
    steps = turn.task.settings.ceilings.steps or 0
    told = f"halted at step {turn.step}: the ceiling of {plural(steps, 'step')} a turn is reached"
    return _halted("step_ceiling", told, _resume(turn, max_steps=max(steps * 2, 1)))


def time_ceiling(turn: TurnContext, why: str = "", wait_s: float = 0.0) -> Ending:
    """Return the ending for a turn without time for another step.

    Parameters
    ----------
    turn
        The turn.
    why
        What would take longer than the time that is left; empty for another step.
    wait_s
        Seconds to wait before anything can be sent.
    """
    ceiling = turn.task.settings.ceilings.elapsed_s or 0.0
    longer = max(round(ceiling * 2), 60)
    if wait_s:
        longer = 60 * math.ceil((turn.watch.elapsed_s + wait_s + longer) / 60)
    if turn.left_s is None or turn.left_s <= 0:
        told = f"the time ceiling of {clock(ceiling)} is reached"
        halted = f"halted at step {turn.current_step}: {told}"
        return _halted("time_ceiling", halted, _resume(turn, max_time=longer))
    needs = why or f"the next step could take {step_time(turn.longest_step_s)}"
    told = f"stopped at {clock(turn.watch.elapsed_s)} of {clock(ceiling)}{_in_step(turn)}: {needs}"
    return _halted("time_ceiling", told, _resume(turn, max_time=longer))


def out_of_room(
    turn: TurnContext, reason: Reason, needs: NextStep, refused_by: Account | None = None
) -> Ending:
    """Return the ending for a cost, token or session ceiling without room for another request.

    Parameters
    ----------
    turn
        The turn.
    reason
        The ceiling's reason.
    needs
        What the next step could have taken.
    refused_by
        The account that had no room; None where that is the task's own.
    """
    task = turn.task
    account = refused_by or task.account
    if reason == "session_ceiling":
        return _session(turn, _fullest(task.accounts, account), needs)
    if reason == "cost_ceiling":
        taken = account.spent.usd + account.unconfirmed.usd
        told = _told(turn, account, needs, _USD)
        enough = max((account.cost_usd or 0) * MORE, (taken + needs.alone.usd * 2) * MORE)
        resume = _resume(turn, max_cost=_rounded_up(enough))
        return _halted(reason, told, *_releases(account), resume)
    taken_tokens = account.spent.tokens + account.unconfirmed.tokens
    told = _told(turn, account, needs, _TOKENS)
    more = max((account.total_tokens or 0) * MORE, (taken_tokens + needs.alone.tokens * 2) * MORE)
    resume = _resume(turn, max_total_tokens=_rounded_tokens(more))
    return _halted(reason, told, *_releases(account), resume)


def max_tokens(turn: TurnContext, limit: int) -> Ending:
    """Return the ending for a reply cut by a `max_tokens` that no ceiling had shrunk."""
    more = min(limit * 2, 128_000)
    told = f"halted at step {turn.step}: the reply was cut at {limit:,} tokens"
    return _halted("max_tokens", told, _resume(turn, max_tokens=more))


def context_window(turn: TurnContext) -> Ending:
    """Return the ending for a conversation beyond the model's context window."""
    told = f"halted at step {turn.step}: the conversation no longer fits into the context window"
    restart = Suggestion(
        action="restart",
        task=turn.task.name,
        lead="start afresh with",
        effect="and tell Claude what is known",
    )
    return _halted("context_window", told, restart)


def refusal(turn: TurnContext) -> Ending:
    """Return the ending for a reply in which Claude declined to answer."""
    told = f"halted at step {turn.step}: Claude declined"
    return _halted("refusal", told, Suggestion(action="rephrase", task=turn.task.name))


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
    return _halted("stuck_loop", told, instruct, _resume(turn, "or go on with"))


def with_word_on_budget(turn: TurnContext, ending: Ending) -> Ending:
    """Return the ending, with a word where it looks as if the budget had been too small.

    A refusal does, and a natural end at which no tool was used though some were offered, or which
    left less than a tenth of the budget (platform.claude.com, "Task budgets": too small a budget
    leads to refusals and to answers that do less than was asked).
    """
    task = turn.task
    budget, reading = task.settings.budget, task.reading()
    if budget is None or ending.reason not in {"refusal", "end_turn"}:
        return ending
    unused = reading.total.tool_calls == 0 and bool(task.toolbox.names)
    used_up = reading.remaining is not None and reading.remaining < budget * LITTLE_SHARE
    if ending.reason == "end_turn" and not unused and not used_up:
        return ending
    return replace(ending, detail=f"{ending.detail}; {BUDGET_TOO_SMALL}")


def server_compaction(turn: TurnContext) -> Ending:
    """Return the ending for a conversation that the server compacted unasked."""
    told = (
        f"step {turn.step} failed: the reply is a compaction block of the server, and a budget"
        " cannot be carried over it"
    )
    first = "take compaction and context_management out of the client, then"
    here = Suggestion(action="use", name="compact_at", effect="summarises here")
    return _failed("api_error", told, _resume(turn, first), here)


def interrupted(turn: TurnContext, stopped: Stopped) -> Ending:
    """Return the ending for a turn stopped by a person or by a failing display."""
    why = f": {turn.task.redactor.redact(stopped.why)}" if stopped.why else ""
    told = f"stopped in step {turn.current_step}{why}; what was done is kept"
    if turn.cut_off is not None:
        told += f"; cut off: {span_text(turn.cut_off.at_least_usd, turn.cut_off.unconfirmed_usd)}"
    ways = (_resume(turn),)
    return Ending(state="interrupted", reason=stopped.reason, detail=told, suggestions=ways)


def broken(turn: TurnContext, error: BaseException) -> Ending:
    """Return the ending for an unexpected error: a bug here, or a hostile object."""
    what = turn.task.redactor.redact(explained(error))
    told = f"step {turn.step + 1} failed: {what}; the history is kept"
    return _failed("api_error", told, _resume(turn))


def failed(turn: TurnContext, error: WireError, attempts: int) -> Ending:
    """Return the ending for a request that failed for good."""
    tries = f" after {plural(attempts, 'attempt')}" if attempts > 1 else ""
    place = f"step {turn.step + 1} failed{tries}"
    if not isinstance(error, ApiError):
        told = f"{place}: the connection broke ({error}); the history is kept"
        return _failed("connection", told, _resume(turn))
    return _api_failure(turn, error, f"{place}: {error} ({_status(error)})")


def cannot_send(turn: TurnContext, error: ConfigurationError) -> Ending:
    """Return the ending for a client that refused to send, such as without a credential."""
    told = f"step {turn.step + 1} was not sent: {error}"
    return _failed("configuration", told, _resume(turn, FIXED))


def cannot_record(turn: TurnContext) -> Ending:
    """Return the ending for a turn that a required sink could not record."""
    why = turn.task.recording_failure()
    return cannot_send(turn, ConfigurationError(f"the task cannot be recorded ({why})"))


def _api_failure(turn: TurnContext, error: ApiError, told: str) -> Ending:
    reason: Reason = "configuration"
    if error.status in UNAUTHORISED:
        resume = _resume(turn, "check the API key, then")
    elif error.status == NOT_FOUND:
        resume = replace(_resume(turn, "choose another model:"), name="model")
    elif error.status == BAD_REQUEST and "task_budget" in str(error):
        resume = _resume(turn, "run without a task budget:", budget=None)
    else:
        reason, told = "api_error", f"{told}; the history is kept"
        resume = _resume(turn, FIXED if error.status in {BAD_REQUEST, TOO_LARGE} else "")
    return _failed(reason, told, resume)


def _status(error: ApiError) -> str:
    kind = f" {error.error_type}" if error.error_type else ""
    return f"in mid-stream,{kind}" if error.in_mid_stream else f"HTTP {error.status}{kind}"


def _resume(turn: TurnContext, lead: str = "", **changes: Value) -> Suggestion:
    return Suggestion(action="resume", task=turn.task.name, changes=changes, lead=lead)


def _halted(reason: Reason, told: str, *ways: Suggestion) -> Ending:
    return Ending(state="halted", reason=reason, detail=told, suggestions=ways)


def _failed(reason: Reason, told: str, *ways: Suggestion) -> Ending:
    return Ending(state="failed", reason=reason, detail=told, suggestions=ways)


def _session(turn: TurnContext, account: Account, needs: NextStep) -> Ending:
    unit = _USD if _is_nearer_by_cost(account) else _TOKENS
    if account.of_task:
        raising = Suggestion(
            action="change",
            task=account.name,
            changes=_raising(account),
            effect="gives it more room from its next turn on",
        )
        resume = replace(_resume(turn), effect="goes on outside of it")
    else:
        raising = Suggestion(action="set", name=unit.setting(account), lead="raise")
        resume = _resume(turn, "then")
    told = _told(turn, account, needs, unit)
    return _halted("session_ceiling", told, *_releases(account), raising, resume)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unit:
    """How a sentence speaks of one of the two kinds of amounts that an account holds."""

    of: Callable[[Amount], Decimal]
    ceiling: Callable[[Account], Decimal]
    reached: str
    cost: str
    """What a step does to the ceiling: "cost up to"."""
    spent: str
    setting: Callable[[Account], str]
    """Name of what sets the ceiling of a group or session."""
    taken: Callable[[Decimal, Decimal], str]
    """Shows what stands against a ceiling, beside that."""
    limit: Callable[[Decimal], str]
    needed: Callable[[Decimal], str]
    part: Callable[[Decimal], str]


def _fine(usd: Decimal) -> str:
    """Dollars with more places where they are less than a cent."""
    return dollars(usd, 2 if usd >= CENT else 4)


def _count(tokens: Decimal) -> str:
    return f"{int(tokens):,}"


_USD: Final = _Unit(
    of=lambda amount: amount.usd,
    ceiling=lambda account: account.cost_usd or Decimal(0),
    reached="the cost ceiling is reached",
    cost="cost up to",
    spent="spent",
    setting=lambda account: account.cost_setting,
    taken=spent_dollars,
    limit=ceiling_dollars,
    needed=_fine,
    part=dollars,
)
_TOKENS: Final = _Unit(
    of=lambda amount: Decimal(amount.tokens),
    ceiling=lambda account: Decimal(account.total_tokens or 0),
    reached="the token ceiling is reached",
    cost="taken up to",
    spent="used",
    setting=lambda account: account.tokens_setting,
    taken=lambda tokens, _: _count(tokens),
    limit=lambda tokens: f"{_count(tokens)} tokens",
    needed=_count,
    part=_count,
)


def _told(turn: TurnContext, account: Account, needs: NextStep, unit: _Unit) -> str:
    """Return where a ceiling stopped a turn, and why there."""
    ceiling = unit.ceiling(account)
    taken = unit.of(account.spent + account.unconfirmed)
    left = ceiling - taken - unit.of(account.held)
    alone, beside = unit.of(needs.alone), unit.of(needs.beside_last_answer)
    if left <= 0:
        why = unit.reached
    elif alone > left:
        why = f"the next step could have {unit.cost} {unit.needed(alone)}"
    elif beside > left:
        needed = unit.needed(beside)
        why = f"the next step and a last answer after it could have {unit.cost} {needed}"
    else:
        why = "the last answer was given"
    of = _of(turn, account, unit.limit(ceiling))
    at = f"stopped at {unit.taken(taken, ceiling)} of {of}{_in_step(turn)}"
    return f"{at}: {why}{_parts(account, unit)}"


def _parts(account: Account, unit: _Unit) -> str:
    """Return what stands against a ceiling, in parentheses; empty where the task spent it all."""
    below, held = unit.of(account.spent_below), unit.of(account.held_unconfirmed)
    unsure = unit.of(account.unconfirmed) - held
    parts = []
    if account.of_task and below:
        parts.append(f"including {unit.part(below)} by its tools")
    if unsure:
        parts.append(f"{unit.part(unsure)} unconfirmed")
    if account.cut_off:
        parts.append(_held(account, unit.part(held)))
    if not parts:
        return ""
    return f" ({', '.join([f'{unit.part(unit.of(account.spent))} {unit.spent}', *parts])})"


def _of(turn: TurnContext, account: Account, ceiling: str) -> str:
    if account is turn.task.account:
        return ceiling
    whose = f"{account.name}, whose tool runs this task," if account.of_task else account.name
    return f"{ceiling} for {whose}"


def _in_step(turn: TurnContext) -> str:
    return f" in step {turn.step}" if turn.step else " before the first step"


def _raising(account: Account) -> dict[str, Value]:
    """Return the setting that raises the ceiling of a task around this one."""
    if _is_nearer_by_cost(account):
        return {"max_cost": _rounded_up((account.cost_usd or Decimal(0)) * MORE)}
    return {"max_total_tokens": _rounded_tokens(Decimal(account.total_tokens or 0) * MORE)}


def _fullest(accounts: Iterable[Account], refused_by: Account) -> Account:
    """Return the account that refused a request; if unknown, the shared one with least left."""
    own, *shared = accounts
    if refused_by is not own or not shared:
        return refused_by
    return min(shared, key=_share_left)


def _share_left(account: Account) -> Decimal:
    usd_left, tokens_left = account.headroom()
    shares = [Decimal(1)]
    if usd_left is not None and account.cost_usd:
        shares.append(usd_left / account.cost_usd)
    if tokens_left is not None and account.total_tokens:
        shares.append(Decimal(tokens_left) / account.total_tokens)
    return min(shares)


def _is_nearer_by_cost(account: Account) -> bool:
    """Return whether the smaller share is left of the dollars, not of the tokens."""
    usd_left, tokens_left = account.headroom()
    if usd_left is None or tokens_left is None or not account.cost_usd or not account.total_tokens:
        return usd_left is not None
    return usd_left / account.cost_usd <= Decimal(tokens_left) / account.total_tokens


def _held(account: Account, amount: str) -> str:
    """Return what requests of unknown cost hold."""
    what = held_for(len(account.cut_off), sum(one.is_reply for one in account.cut_off))
    return f"{amount} held for {what}"


def _releases(account: Account) -> list[Suggestion]:
    """Return what releases what such requests hold, task by task."""
    names = dict.fromkeys(one.task for one in account.cut_off)
    effect = "releases it" if len(names) == 1 else "releases its part"
    return [Suggestion(action="release", task=name, effect=effect) for name in names]


def _rounded_up(value: Decimal) -> str:
    """Two significant digits, upwards, not finer than a cent, without an exponent."""
    place = max(Decimal(1).scaleb(value.adjusted() - 1), CENT) if value > 0 else CENT
    rounded = max((value / place).to_integral_value(rounding=ROUND_UP) * place, CENT)
    return f"{rounded:.2f}" if place == CENT else f"{rounded.normalize():f}"


def _rounded_tokens(value: Decimal) -> int:
    return int(Decimal(_rounded_up(value)))
