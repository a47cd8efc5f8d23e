"""What a person does with the live panel, in a real JupyterLab and Notebook."""

from __future__ import annotations

import json
import re

from playwright.sync_api import Locator, expect

from tests.ui.conftest import OpenNotebook
from tests.ui.lab import Server, Window
from tests.ui.scenes import AUDIT, LOAD, PROJECT, SET_UP

GAUGE_BELOW = (
    "(before) => { const e = document.querySelector('.budget-magic .bm-left strong');"
    " return e && parseInt(e.innerText.replaceAll(',', '')) < before; }"
)


def number(locator: Locator) -> int:
    """The digits of a text as one number."""
    return int(re.sub(r"\D", "", locator.inner_text()))


def started(open_notebook: OpenNotebook, server: Server, *cells: str, **options: object) -> Window:
    """A page whose last cell runs and shows its panel."""
    window = open_notebook(server, LOAD, *cells, **options)
    window.run_to_end(*range(len(cells)))
    window.run(len(cells))
    expect(window.panel()).to_be_visible()
    return window


def last_output(window: Window) -> str:
    """What the last cell with an output shows."""
    return window.page.locator(".jp-OutputArea-output").last.inner_text()


def test_the_gauge_moves_and_the_static_report_takes_its_place(
    lab: Server, open_notebook: OpenNotebook
) -> None:
    window = started(open_notebook, lab, PROJECT, AUDIT)
    panel = window.panel()
    expect(panel.locator(".bm-state")).to_contain_text("Running")
    expect(panel.locator(".bm-tag")).to_have_text("simulated")
    window.page.wait_for_function(GAUGE_BELOW, arg=number(panel.locator(".bm-left strong")))
    expect(panel.locator(".bm-step")).not_to_have_count(0)
    window.shot("running-light")
    expect(panel.locator(".bm-step").nth(3)).to_be_visible()
    expect(panel.locator(".bm-block--text").last).to_be_visible()
    window.shot_panel("panel-light")
    window.wait_done(2)
    expect(window.panel()).to_have_count(0)
    assert "Completed" in last_output(window)
    assert "module_0.py:2" in last_output(window)
    mimes = set(window.outputs(2)[-1]["data"])
    assert "application/vnd.jupyter.widget-view+json" not in mimes
    assert "application/vnd.budget-magic.turn+json" in mimes
    window.shot("completed-light")


def test_stop_ends_the_turn_and_the_server_sees_the_connection_closed(
    lab: Server, open_notebook: OpenNotebook
) -> None:
    window = started(
        open_notebook,
        lab,
        SET_UP + "sim, mine = scripted(Reply(text=LONG * 9), pace=200)",
        "%%claude_task audit --client mine -t none\nWrite at length.",
    )
    expect(window.panel().locator(".bm-block--text")).to_contain_text("The next file")
    window.panel().locator(".bm-stop").click()
    window.wait_done(2)
    assert "TaskInterrupted" in last_output(window)
    assert "at most $" in last_output(window)
    said = window.evaluate(
        "sim.requests[0].disconnected.wait(10); print(sim.requests[0].closed_early)"
    )
    assert said == "True"
    window.shot("stopped-light")


def test_a_call_is_approved_another_denied_with_a_reason(
    lab: Server, open_notebook: OpenNotebook
) -> None:
    window = started(
        open_notebook,
        lab,
        SET_UP + "first = Reply(text='I save two notes.', calls=[note('first'), note('second')])\n"
        "sim, mine = scripted(first, Reply(text='One is saved.'))",
        "%%claude_task audit --client mine -t save_note\nSave two notes.",
    )
    card = window.panel().locator(".bm-approval")
    expect(card).to_contain_text("Claude wants to run save_note")
    expect(card.locator(".bm-queue")).to_have_text("1 of 2 waiting")
    expect(window.panel().locator(".bm-state")).to_contain_text("Waiting for you")
    window.shot_panel("approval-light")
    card.locator(".bm-approve").click()
    expect(window.panel().locator(".bm-approval")).to_contain_text("second")
    card = window.panel().locator(".bm-approval").filter(has_text="second")
    card.locator("input").fill("one is enough")
    card.locator(".bm-deny").click()
    window.wait_done(2)
    assert window.evaluate("print(called)") == "['first']"
    told = window.evaluate(
        "print([r.fact.content for r in tasks()['audit'].events if r.fact.kind == 'tool_finished'])"
    )
    assert "saved 5 characters" in told
    assert "one is enough" in told
    assert "One is saved." in last_output(window)


def test_a_tool_approved_for_the_task_asks_no_more(
    lab: Server, open_notebook: OpenNotebook
) -> None:
    window = started(
        open_notebook,
        lab,
        SET_UP
        + "sim, mine = scripted(Reply(calls=[note('a'), note('b')]), Reply(text='Both saved.'))",
        "%%claude_task audit --client mine -t save_note\nSave two notes.",
    )
    window.panel().get_by_role("button", name="For the rest of this task").click()
    window.wait_done(2)
    assert window.evaluate("print(called)") == "['a', 'b']"


def test_stop_during_a_notebook_function_takes_effect_when_it_returns(
    lab: Server, open_notebook: OpenNotebook
) -> None:
    window = started(
        open_notebook,
        lab,
        SET_UP + "waits = Reply(calls=[Call('wait_a_little', {})])\n"
        "sim, mine = scripted(waits, Reply(text='Never said.'))",
        "%%claude_task audit --client mine -t wait_a_little --approve all\nWait.",
    )
    expect(window.panel().locator(".bm-now")).to_contain_text("wait_a_little")
    window.panel().locator(".bm-stop").click()
    expect(window.panel()).to_contain_text("Interrupt ends it now")
    window.shot("stopping-in-a-function-light")
    window.wait_done(2)
    assert "TaskInterrupted" in last_output(window)
    assert "Never said" not in last_output(window)


def test_effort_changes_now_at_a_price_that_is_said_before(
    lab: Server, open_notebook: OpenNotebook
) -> None:
    window = started(
        open_notebook,
        lab,
        SET_UP + "long = [Reply(text=LONG, calls=[note(text)]) for text in 'ab']\n"
        "sim, mine = scripted(*long, Reply(text='Done.'), pace=100)",
        "%%claude_task audit --client mine -t save_note --approve all\nSave notes.",
    )
    panel = window.panel()
    expect(panel.locator(".bm-step")).to_have_count(2)
    panel.locator(".bm-effort-button").click()
    panel.get_by_label("low", exact=True).check(force=True)
    now = panel.locator(".bm-pop--effort .bm-choice").first
    expect(now).to_contain_text("From step 3")
    expect(now).to_contain_text("in the cache are written again")
    expect(now).to_contain_text("$")
    window.shot("effort-light")
    now.click()
    window.wait_done(2)
    efforts = window.evaluate("print([step.effort for step in steps('audit')])")
    assert efforts == "['high', 'high', 'low']"


def test_effort_changes_for_the_next_cell_and_keeps_the_cache(
    lab: Server, open_notebook: OpenNotebook
) -> None:
    window = started(
        open_notebook,
        lab,
        SET_UP + "sim, mine = scripted(Reply(text=LONG), Reply(text='Short.'), pace=250)",
        "%%claude_task audit --client mine -t none\nWrite about this: {{ LONG }}",
    )
    panel = window.panel()
    panel.locator(".bm-effort-button").click()
    panel.get_by_label("low", exact=True).check(force=True)
    panel.locator(".bm-pop--effort .bm-choice").last.click()
    expect(panel.locator(".bm-effort-button")).to_contain_text("→ low")
    window.wait_done(2)
    window.evaluate("get_ipython().run_cell_magic('claude_task', 'audit', 'Again.')")
    said = window.evaluate(
        "print([s.effort for s in steps('audit')],"
        " sim.requests[1].body['output_config']['effort'], sim.bill[1].split.read > 0)"
    )
    assert said == "['high', 'low'] high True"


def test_a_ceiling_near_its_end_is_raised_in_place(
    lab: Server, open_notebook: OpenNotebook
) -> None:
    window = started(
        open_notebook,
        lab,
        SET_UP + "sim, mine = scripted(*[Reply(text=LONG, calls=[note(str(n))]) for n in range(4)],"
        " Reply(text='All four saved.'), pace=900, faults=[until_raised('audit', 4)])",
        "%%claude_task audit --client mine -t save_note --approve all --max-steps 4\nSave four.",
    )
    raised = window.panel().locator(".bm-note--near .bm-raise")
    expect(raised).to_have_text("+25 steps, ceiling 29")
    window.shot("near-a-ceiling-light")
    raised.click()
    window.wait_done(2)
    assert "All four saved." in last_output(window)
    assert "5 of 29" in last_output(window)


def test_the_budget_is_changed_in_place(lab: Server, open_notebook: OpenNotebook) -> None:
    window = started(
        open_notebook,
        lab,
        SET_UP
        + "sim, mine = scripted(Reply(text=LONG * 2, calls=[note('a')]), Reply(text='Done.'))",
        "%%claude_task audit --client mine -t save_note --approve all -b 20k\nSave one.",
    )
    panel = window.panel()
    panel.locator(".bm-budget-button").click()
    panel.locator(".bm-pop--budget input[type=text]").fill("45k")
    window.shot("budget-light")
    panel.locator(".bm-pop--budget .bm-choice").first.click()
    expect(panel.locator(".bm-budget-button")).to_contain_text("45k")
    window.wait_done(2)
    total = window.evaluate("print(sim.requests[1].body['output_config']['task_budget']['total'])")
    assert total == "45000"


def test_a_halt_names_the_command_that_goes_on(lab: Server, open_notebook: OpenNotebook) -> None:
    window = open_notebook(
        lab,
        LOAD,
        PROJECT,
        "%%claude_task audit --client simulator --max-steps 2\nAudit this folder.",
        "%claude_resume audit --max-steps 20",
    )
    window.run_to_end(0, 1, 2)
    assert "%claude_resume audit --max-steps 4" in last_output(window)
    window.shot("halted-light")
    window.run_to_end(3)
    assert "Completed" in last_output(window)


def test_a_saved_notebook_reads_well_without_a_kernel(
    lab: Server, open_notebook: OpenNotebook
) -> None:
    window = open_notebook(lab, LOAD, PROJECT, AUDIT)
    window.run_to_end(0, 1, 2)
    window.save()
    lab.shut_kernels_down()
    window.open()
    expect(window.page.locator(".jp-OutputArea").last).to_contain_text("module_0.py:2")
    saved = json.loads((lab.notebooks / window.name).read_text())
    assert "widget-view" not in json.dumps(saved["cells"][2]["outputs"])
    assert "widgets" not in saved["metadata"]
    window.shot("reopened-light")


def test_buttons_work_in_other_front_ends_and_settings(
    other_front_end: Server, open_notebook: OpenNotebook
) -> None:
    window = started(
        open_notebook,
        other_front_end,
        SET_UP
        + "sim, mine = scripted(Reply(calls=[note('first')]), Reply(text=LONG * 9), pace=200)",
        "%%claude_task audit --client mine -t save_note\nSave a note, then write.",
    )
    window.panel().locator(".bm-approve").first.click()
    expect(window.panel().locator(".bm-block--text")).to_contain_text("The next file")
    window.shot(f"front-end-{other_front_end.app}")
    window.panel().locator(".bm-stop").click()
    window.wait_done(2)
    assert window.evaluate("print(called)") == "['first']"
    assert "TaskInterrupted" in last_output(window)


def test_interrupt_of_the_kernel_ends_the_cell_with_one_line(
    lab: Server, open_notebook: OpenNotebook
) -> None:
    window = started(
        open_notebook,
        lab,
        SET_UP + "sim, mine = scripted(Reply(text=LONG * 9), pace=200)",
        "%%claude_task audit --client mine -t none\nWrite at length.",
    )
    expect(window.panel().locator(".bm-block--text")).to_contain_text("The next file")
    window.command("kernelmenu:interrupt")
    window.wait_done(2)
    assert last_output(window).startswith("TaskInterrupted: stopped in step 1")


def test_the_panel_in_dark_and_in_a_narrow_window(
    dark_lab: Server, open_notebook: OpenNotebook
) -> None:
    window = started(open_notebook, dark_lab, PROJECT, AUDIT, width=620, theme="dark")
    expect(window.panel().locator(".bm-step")).not_to_have_count(0)
    window.shot("running-dark-narrow")
    assert window.panel().evaluate("(e) => e.scrollWidth - e.clientWidth") <= 0
    window.wait_done(2)
    window.shot("completed-dark-narrow")


def test_the_panel_in_dark(dark_lab: Server, open_notebook: OpenNotebook) -> None:
    window = started(open_notebook, dark_lab, PROJECT, AUDIT, theme="dark")
    window.panel().locator(".bm-details-button").click()
    expect(window.panel().locator(".bm-step").nth(1)).to_be_visible()
    window.shot_panel("panel-dark")
    window.wait_done(2)
    window.shot("completed-dark")
