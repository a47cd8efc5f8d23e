"""Scripted scenes: a list of replies, played in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal

from budget_magic.simulator.reply import Call, Reply
from budget_magic.simulator.scenes.scene import Scene
from budget_magic.simulator.scenes.toolbox import any_call
from budget_magic.simulator.view import View

OVER: Final = Reply(text="This is the simulator: the script is over.")


class Scripted(Scene):
    """Plays replies in order.

    A reply with a condition (`when`) is played whenever that holds, ahead of the others; it keeps
    its place and may be played again. After the last reply, `then` is played for ever. A call of
    `*` is a call of any offered tool, one of `a|b` of the first of these that is offered, with
    inputs from the prompt.

    Parameters
    ----------
    replies
        The script.
    by
        `order` plays the next reply at each request; one that a fault cut is played again, one
        that the client left is not. `history` plays the reply that belongs to the number of
        replies in the conversation, so that several conversations can go on at once.
    then
        What comes after the script.
    prompt_tokens
        What everything before the first reply counts; None counts it honestly.
    """

    def __init__(
        self,
        replies: Sequence[Reply],
        *,
        by: Literal["order", "history"] = "order",
        then: Reply = OVER,
        prompt_tokens: int | None = None,
    ) -> None:
        self._script = [reply for reply in replies if reply.when is None]
        self._whenever = [reply for reply in replies if reply.when is not None]
        self._by = by
        self._then = then
        self._next = 0
        self._again: list[Reply] = []
        self.prompt_tokens = prompt_tokens

    def reply(self, view: View) -> Reply:
        """The next reply of the script."""
        planned = self._planned(view)
        if any(_is_open(call) for call in planned.calls):
            calls = [_settled(call, view, at) for at, call in enumerate(planned.calls)]
            return replace(planned, calls=calls)
        return planned

    def _planned(self, view: View) -> Reply:
        for reply in self._whenever:
            if reply.when is not None and reply.when(view):
                return reply
        if self._again:
            return self._again.pop(0)
        place = view.replies if self._by == "history" else self._next
        self._next += 1
        return self._script[place] if place < len(self._script) else self._then

    def unplayed(self, view: View, reply: Reply) -> None:  # noqa: ARG002 - the door of all scenes
        """Keep a reply that was cut for the next request."""
        if self._by == "order" and reply.when is None:
            self._again.append(reply)


def _is_open(call: Call) -> bool:
    return call.name == "*" or "|" in call.name


def _settled(call: Call, view: View, place: int) -> Call:
    if not _is_open(call):
        return call
    some = any_call(view, view.replies + place, call.name)
    return Call(some.name, {**some.input, **call.input}, call.result_tokens)
