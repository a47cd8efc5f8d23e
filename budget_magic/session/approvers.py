"""Ask a person about a call with `input()`."""

from __future__ import annotations

import sys

from budget_magic.events import Suggestion
from budget_magic.loop import Approver
from budget_magic.loop.contexts import Decision
from budget_magic.report.approval_card import approval_card
from budget_magic.session.caller_executor import CallerExecutor
from budget_magic.session.host import Host
from budget_magic.tools.approval import Call, labels

QUESTION = "approve? [y]es, [t]his tool for the rest of the task, [n]o, or a reason to deny: "
YES = frozenset({"y", "yes"})
TASK = frozenset({"t", "task"})
NO = frozenset({"n", "no", ""})
UNASKED = Suggestion(action="use", changes={"approve": "all"}, effect="runs it unasked")


def by_input(caller: CallerExecutor, host: Host) -> Approver:
    """Return an approver that uses `input()` on the waiting thread; without stdin it denies."""

    async def ask(call: Call) -> Decision:
        if not (caller.is_attended and host.has_stdin()):
            way_out = host.word(UNASKED)
            if call.secrets:
                way_out = f"a call that holds {labels(call.secrets)} always requires approval"
            reason = f"no interactive user is attached to approve {call.name}; {way_out}"
            return Decision(kind="denied", reason=reason, by="nobody")
        return await caller.ask(lambda: _ask(call))

    return ask


def _ask(call: Call) -> Decision:
    encoding = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "")
    utf8 = encoding == "utf8"
    card = approval_card(call.name, call.why, call.arguments, utf8=utf8)
    try:
        said = input(f"{card}\n{QUESTION}").strip()
    except EOFError:  # Ctrl-D, or standard input that has ended
        return Decision(kind="denied", reason="the question was closed without an answer")
    if said.lower() in YES:
        return Decision(kind="once")
    if said.lower() in TASK:
        return Decision(kind="task")
    return Decision(kind="denied", reason="" if said.lower() in NO else said)
