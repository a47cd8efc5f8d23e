"""Phrases of a turn that its renderings share."""

from __future__ import annotations

from budget_magic.report.view_models import (
    CeilingView,
    GaugeView,
    InputView,
    MarkView,
    MetersView,
    PaceView,
    StepView,
    TurnView,
)


def listed(*parts: str) -> str:
    """Return the parts that are not empty, separated by commas."""
    return ", ".join(filter(None, parts))


def heading_text(view: TurnView) -> str:
    """Return the task, the turn, the model, the effort and the tags."""
    return listed(view.heading, view.model, view.effort_text, *(tag.text for tag in view.tags))


def gauge_text(gauge: GaugeView) -> str:
    """Return what follows the gauge's number."""
    return listed(gauge.caption, gauge.used_text)


def pace_text(pace: PaceView) -> str:
    """Return the pace with its unit."""
    return pace.text.replace(" a step", " tokens a step")


def ceiling_label(ceiling: CeilingView) -> str:
    """Return the head of a ceiling's column."""
    return listed(ceiling.label, ceiling.word)


def ceiling_rest(ceiling: CeilingView) -> str:
    """Return what follows the amount spent."""
    held = f", {ceiling.held}" if ceiling.held else ""
    return f"{' ' if ceiling.ceiling else ', '}{ceiling.of}{held}"


def input_text(inputs: InputView) -> str:
    """Return where the input came from."""
    return f"{inputs.cached} cached, {inputs.new} new"


def mark_text(mark: MarkView) -> str:
    """Return a mark with its glyph."""
    return f"{mark.glyph} {mark.text}".strip()


def step_figures(step: StepView) -> str:
    """Return what a step counted, cost and took."""
    return listed(f"{step.counted} tokens" if step.counted else "", step.cost, step.time)


def transcript_text(view: TurnView) -> str:
    """Return how much was done, and what Claude could see."""
    return "; ".join(filter(None, (view.steps_text, view.scope)))


def meters_text(meters: MetersView) -> str:
    """Return the two meters in one line."""
    scope = f", {meters.scope}" if meters.scope else ""
    return (
        f"Two meters{scope}: {meters.counted} tokens counted, {meters.billed} billed, {meters.cost}"
    )
