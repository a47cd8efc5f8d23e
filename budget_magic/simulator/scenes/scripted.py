"""Scripted scenes: a list of replies, played in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal

from budget_magic.simulator.scenes.context import SceneContext
from budget_magic.simulator.scenes.scene import Call, Reply, Scene
from budget_magic.simulator.scenes.toolbox import call_any_tool

OVER: Final = Reply(text="This is the simulator: the script is over.")


class Scripted(Scene):
    """Plays replies in order.

    A reply with a condition (`when`) is played ahead of the others whenever it holds, as often as
    it holds. A call of `*` calls any offered tool, a call of `a|b` one of these that is offered;
    required inputs that the call leaves out are taken from the prompt or made up.

    Parameters
    ----------
    replies
        The script.
    by
        `order` plays the next reply at each request, and repeats a reply that a fault cut.
        `history` plays the reply that belongs to the number of replies in the conversation, so that
        several conversations can run at once.
    then
        The reply to every request after the script.
    prompt_tokens
        Fixed token count of everything before the first reply; None counts it.
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
        self._conditional = [reply for reply in replies if reply.when is not None]
        self._by = by
        self._then = then
        self._next = 0
        self._repeats: list[Reply] = []
        self.prompt_tokens = prompt_tokens

    def reply(self, context: SceneContext) -> Reply:
        """Return the next reply of the script."""
        reply = self._next_reply(context)
        calls = [_fill(call, context, place) for place, call in enumerate(reply.calls)]
        return replace(reply, calls=calls)

    def on_cut(self, reply: Reply) -> None:
        """Repeat the reply at the next request."""
        if self._by == "order" and reply.when is None:
            self._repeats.append(reply)

    def _next_reply(self, context: SceneContext) -> Reply:
        for reply in self._conditional:
            if reply.when is not None and reply.when(context):
                return reply
        if self._repeats:
            return self._repeats.pop(0)
        place = context.replies if self._by == "history" else self._next
        self._next += 1
        return self._script[place] if place < len(self._script) else self._then


def _fill(call: Call, context: SceneContext, place: int) -> Call:
    """Return the call with its tool chosen, where it leaves that open."""
    if call.name != "*" and "|" not in call.name:
        return call
    filled = call_any_tool(context, context.replies + place, call.name)
    return replace(call, name=filled.name, input={**filled.input, **call.input})
