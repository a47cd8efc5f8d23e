"""Decide whether a call may run, by the policy `approve` or a function in its place."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import MethodType
from typing import Any, Literal, TypeAlias

from budget_magic.characters import UNSEEN
from budget_magic.tools.context import RunInCaller, run_for_caller
from budget_magic.tools.text import explained
from budget_magic.tools.tool import Tool


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A copy of a call that waits for a decision, as approval functions receive it."""

    id: str
    name: str
    arguments: dict[str, Any]
    """The whole input, secrets replaced."""
    secrets: tuple[str, ...] = ()
    """Names of the secrets that the input holds."""
    why: str = ""
    """Why it asks, in one sentence."""

    @property
    def summary(self) -> str:
        """The whole call on one line, invisible characters escaped."""
        inside = (
            f"{name if name.isidentifier() and name.isascii() else _exact(name)}={_exact(value)}"
            for name, value in self.arguments.items()
        )
        return f"{self.name}({', '.join(inside)})"


def _exact(value: object) -> str:
    """Return `repr`, with the invisible characters that it leaves in place escaped too."""
    shown = repr(value)
    return ascii(value) if UNSEEN.search(shown) else shown


ApprovalFunction: TypeAlias = Callable[[Call], bool | str | Awaitable[bool | str]]
Policy: TypeAlias = Literal["ask", "all", "none"] | ApprovalFunction


@dataclass(frozen=True, slots=True)
class Denied:
    """A refusal to run a call; the model is sent the reason."""

    reason: str


def decide(
    policy: Policy, tool: Tool, *, already_approved: bool, secrets: Sequence[str] = ()
) -> Literal["run", "ask"] | Denied:
    """Return whether a call runs, is denied, or needs approval.

    A call whose input holds secrets always needs approval. If the policy is a function, call
    `verdict` for "ask".
    """
    if not secrets and (not tool.needs_approval or already_approved or policy == "all"):
        return "run"
    if policy == "none":
        because = f" because its input holds {labels(secrets)}" if secrets else ""
        return Denied(
            f"not run: {tool.name} would have to ask{because}, and the policy is to refuse that"
        )
    return "ask"


def why_asked(tool: Tool, secrets: Sequence[str]) -> str:
    """Return why a call asks, in one sentence."""
    return f"Its input holds {labels(secrets)}, so it asks." if secrets else tool.approval_reason


def labels(secrets: Sequence[str]) -> str:
    """Return the labels of secrets, such as "[secret A] and [secret B]"."""
    return " and ".join(f"[secret {name}]" for name in secrets)


def is_same(approved: object, key: object) -> bool:
    """Return whether an approval holds for a tool's key; each access creates a new bound method."""
    return approved is key or (isinstance(approved, MethodType) and approved == key)


async def verdict(
    policy: ApprovalFunction, call: Call, run_in_caller: RunInCaller
) -> Literal["run"] | Denied:
    """Return an approval function's decision; it runs on the notebook's thread.

    Only True runs the call: a mistake must not run what nobody approved.
    """

    def ask() -> Literal["run"] | Denied:
        said = policy(call)
        # Read on this thread too: the returned object's `__repr__` is the user's code.
        return read_verdict(run_for_caller(said) if inspect.iscoroutine(said) else said)

    try:
        return await run_in_caller(ask)
    except Exception as error:  # noqa: BLE001 - the function is the user's
        return Denied(f"not run: the approval function failed with {explained(error)}")


def read_verdict(said: object) -> Literal["run"] | Denied:
    """Return the decision for True, False or a reason."""
    if isinstance(said, str):
        return Denied(f"not run: denied by the user: {said}" if said else "not run: denied")
    if said is True:
        return "run"
    if said is False:
        return Denied("not run: denied by the user")
    return Denied(f"not run: the approval function returned {said!r}, not True, False or a reason")
