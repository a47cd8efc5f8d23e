"""A panel that holds hostile texts wherever a model, a tool or a user can write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from budget_magic.events import (
    ApprovalAsked,
    ApprovalGiven,
    AttemptFailed,
    NoticePosted,
    RetryScheduled,
)
from tests.report.records import call, said, thought
from tests.widgets.panels import Show

NAME_CHARS: Final = 300
INPUT_CHARS: Final = 5_000
HURT: Final = """() => {
  const bad = [];
  for (const el of document.querySelectorAll(".budget-magic, .budget-magic *")) {
    const tag = el.localName;
    if (/^(script|img|iframe|object|embed|form|style|link|math|video|base|meta)$/.test(tag))
      bad.push(tag);
    for (const { name, value } of el.attributes) {
      if (/^on|^id$|^src|^action|^srcdoc|^formaction/.test(name)) bad.push(`${tag} ${name}`);
      if (name === "name" && !/^bm-levels-\\d+$/.test(value)) bad.push(`${tag} name=${value}`);
      if (name === "href" && !/^(https?|mailto):/i.test(value)) bad.push(`${tag} href=${value}`);
      if (name === "style" && !/^((flex-basis|left|top): [\\d.]+%;\\s*)*$/.test(value))
        bad.push(`${tag} style=${value}`);
    }
  }
  return [...new Set(bad)];
}"""
"""What of the panel is not of our making, or could do something."""


def tell_all(show: Show, payloads: Sequence[str]) -> None:
    """A step for each text, each with an error and an approval, and one step that streams all."""
    for number, payload in enumerate(payloads):
        show.tell(lambda story: story.ask())
        step = show.story.step
        parts = [
            thought(payload),
            said(payload),
            call(f"c{number}", payload[:NAME_CHARS], **{payload[:99]: payload}),
        ]
        show.tell(lambda story, parts=parts: story.reply(parts, thinking=9, calls=9, text=9))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        show.tell(lambda s, n=number, p=payload: s.tool(f"c{n}", p, p, is_error=n % 2 == 0))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        show.add(NoticePosted(turn=1, text=payload[:2_000]))
        name, long = payload[:NAME_CHARS], {payload[:99]: payload[:INPUT_CHARS]}
        shown = {**long, "text": f"{payload[:500]}\nmore", "old_str": payload[:500], "new_str": "x"}
        for decided in (False, True):
            call_id = f"w{number}{decided}"
            show.add(
                ApprovalAsked(
                    turn=1, step=step, call_id=call_id, name=name, input=shown, why=payload[:500]
                )
            )
        show.add(
            ApprovalGiven(
                turn=1, step=step, call_id=f"w{number}True", name=name, decision="denied",
                by="person", reason=payload[:2_000],
            )
        )  # fmt: skip
        show.add(AttemptFailed(turn=1, step=step, attempt=1, why=payload[:INPUT_CHARS]))
    show.tell(lambda story: story.ask())
    retry = RetryScheduled(
        turn=1, step=show.story.step, attempt=2, attempts=4, wait_s=6, why=payloads[0][:500]
    )
    show.add(retry)
    for payload in payloads:
        for kind in ("thinking", "text", "call"):
            show.begin(kind, payload[:NAME_CHARS])
            for start in range(0, len(payload), 65_536):
                show.stream(payload[start : start + 65_536], kind)
