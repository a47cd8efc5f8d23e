"""What a notebook's file says of a turn that was saved, reloaded or lost while it ran."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from budget_magic.widgets.panel import WIDGET_MIME
from tests.ui.conftest import OpenNotebook
from tests.ui.lab import Server, Window
from tests.ui.scenes import LOAD, SET_UP

TWO_STEPS = (
    SET_UP + "sim, mine = scripted(Reply(text='First I look.', calls=[note('a')]),"
    " Reply(text='# Found\\n\\nAll *is* well.\\n\\n' + LONG * 3), pace=150)"
)
CELL = "%%claude_task audit --client mine -t save_note --approve all\nLook, then report."


def running_second_step(open_notebook: OpenNotebook, server: Server) -> Window:
    """A page in which the second step of a turn streams."""
    window = open_notebook(server, LOAD, TWO_STEPS, CELL)
    window.run_to_end(0, 1)
    window.run(2)
    expect(window.panel().locator(".bm-step")).to_have_count(2)
    expect(window.panel().locator(".bm-prose strong, .bm-prose h1")).to_have_count(1)
    return window


def outputs_in_file(server: Server, name: str) -> list[dict[str, Any]]:
    """The outputs of the last cell in the saved file."""
    saved = json.loads(Path(server.notebooks / name).read_text())
    outputs: list[dict[str, Any]] = saved["cells"][2]["outputs"]
    return outputs


def saved_report(server: Server, window: Window) -> str:
    """Save, and return the HTML of the last cell's only output, which is no widget."""
    window.save()
    (output,) = outputs_in_file(server, window.name)
    assert WIDGET_MIME not in output["data"]
    return "".join(output["data"]["text/html"])


def test_a_file_saved_in_mid_run_tells_the_story_so_far(
    lab: Server, open_notebook: OpenNotebook
) -> None:
    window = running_second_step(open_notebook, lab)
    html = saved_report(lab, window)
    assert "Look, then report." in html
    assert "save_note" in html
    expect(window.panel().locator(".bm-state")).to_contain_text("Running")
    window.wait_done(2)
    assert "Completed" in saved_report(lab, window)
    (output,) = outputs_in_file(lab, window.name)
    assert "budget_magic" not in output["metadata"]


def test_a_page_loaded_again_after_the_end_changes_nothing(
    lab: Server, open_notebook: OpenNotebook
) -> None:
    window = running_second_step(open_notebook, lab)
    window.wait_done(2)
    window.save()
    before = outputs_in_file(lab, window.name)
    window.open()
    window.evaluate("print(1)")  # by then the widget has been asked for
    window.save()
    assert outputs_in_file(lab, window.name) == before
    assert len(before) == 1


@pytest.mark.parametrize("saved_before", [True, False])
def test_a_page_loaded_again_in_mid_run_keeps_the_answer(
    lab: Server, open_notebook: OpenNotebook, *, saved_before: bool
) -> None:
    window = running_second_step(open_notebook, lab)
    if saved_before:
        window.save()
    window.open(while_it_runs=True)
    if saved_before:
        expect(window.page.locator(".jp-OutputArea").last).to_contain_text("save_note")
        window.shot("reloaded-in-mid-run")
    output = window.page.locator(".jp-OutputArea").last
    expect(output).to_contain_text("Completed", timeout=60_000)
    expect(output).to_contain_text("All is well.")
    expect(window.panel()).to_have_count(0)
    window.save()
    lab.shut_kernels_down()
    window.open()
    expect(window.page.locator(".jp-OutputArea").last).to_contain_text("All is well.")
    assert all(WIDGET_MIME not in one["data"] for one in outputs_in_file(lab, window.name))
    window.shot("reopened-after-reload")


ASKS = "%%claude_task other --client mine -t save_note\nLook, then ask me."


def waiting_in_second_turn(open_notebook: OpenNotebook, server: Server) -> Window:
    """A page in which a later turn of the kernel waits for an approval in its first step."""
    set_up = (
        SET_UP + "_, mine = scripted(Reply(text='One.'), Reply(text='I look.', calls=[note('a')]),"
        " Reply(text='All is well.'))"
    )
    first = "%%claude_task audit --client mine -t none\nSay one."
    window = open_notebook(server, LOAD, set_up, ASKS)
    window.run_to_end(0, 1)
    window.evaluate(first)
    window.run(2)
    expect(window.panel().locator(".bm-approval")).to_have_count(1)
    window.wait_for_report(2)
    return window


def test_a_file_saved_while_the_first_step_s_call_waits_tells_the_story(
    lab: Server, open_notebook: OpenNotebook
) -> None:
    window = waiting_in_second_turn(open_notebook, lab)
    html = saved_report(lab, window)
    assert "Look, then ask me." in html
    assert "I look." in html
    expect(window.panel().locator(".bm-approval")).to_have_count(1)
    window.page.locator("[data-act=approve]").click()
    window.wait_done(2)


def test_a_page_loaded_again_while_a_call_waits_says_what_to_do(
    lab: Server, open_notebook: OpenNotebook
) -> None:
    window = waiting_in_second_turn(open_notebook, lab)
    window.save()
    window.open(while_it_runs=True)
    output = window.page.locator(".jp-OutputArea").last
    expect(output).to_contain_text("interrupt the kernel and run the cell again")
    window.shot("reloaded-while-a-call-waits")

    lab.interrupt_kernels()

    expect(output).to_contain_text("Stopped", timeout=60_000)
    window.save()
    (shown,) = (one for one in outputs_in_file(lab, window.name) if "data" in one)
    assert WIDGET_MIME not in shown["data"]
    assert "Stopped" in "".join(shown["data"]["text/html"])


def test_the_second_turn_of_a_kernel_survives_a_reload(
    lab: Server, open_notebook: OpenNotebook
) -> None:
    two_steps = TWO_STEPS.replace("scripted(", "scripted(Reply(text='One.'), ")
    window = open_notebook(lab, LOAD, two_steps, CELL)
    window.run_to_end(0, 1)
    window.evaluate("%%claude_task other --client mine -t none\nSay one.")
    window.run(2)
    expect(window.panel().locator(".bm-step")).to_have_count(2)
    window.wait_for_report(2)
    window.save()
    window.open(while_it_runs=True)
    output = window.page.locator(".jp-OutputArea").last
    expect(output).to_contain_text("Completed", timeout=60_000)
    expect(output).to_contain_text("All is well.")
    expect(window.panel()).to_have_count(0)
    window.save()
    lab.shut_kernels_down()
    window.open()
    expect(window.page.locator(".jp-OutputArea").last).to_contain_text("All is well.")
    assert all(WIDGET_MIME not in one["data"] for one in outputs_in_file(lab, window.name))


def test_a_turn_in_the_background_gets_its_panel_back_after_a_reload(
    lab: Server, open_notebook: OpenNotebook
) -> None:
    slow = SET_UP + "_, mine = scripted(Reply(text='So it goes. ' + LONG * 9), pace=60)"
    cell = "%%claude_task audit --client mine -t none --background\nWrite at length."
    window = open_notebook(lab, LOAD, slow, cell)
    window.run_to_end(0, 1, 2)
    expect(window.panel()).to_contain_text("So it goes.")
    window.wait_for_report(2)
    window.save()
    window.open()
    expect(window.panel().locator(".bm-state")).to_contain_text("Running")
    window.shot("background-after-reload")

    window.panel().locator("[data-act=stop]").click()

    expect(window.page.locator(".jp-OutputArea").last).to_contain_text("Stopped")
    expect(window.panel()).to_have_count(0)
    assert "So it goes." in saved_report(lab, window)


def test_a_kernel_that_is_restarted_in_mid_run_leaves_what_was_written(
    lab: Server, open_notebook: OpenNotebook
) -> None:
    window = running_second_step(open_notebook, lab)
    window.restart_kernel()  # interrupts it first
    output = window.page.locator(".jp-OutputArea").last
    expect(output).to_contain_text("Stopped")
    expect(output).to_contain_text("All is well.")
    window.save()
    assert all(WIDGET_MIME not in one.get("data", {}) for one in outputs_in_file(lab, window.name))


def test_a_panel_whose_kernel_was_killed_says_so_and_the_file_reads(
    lab: Server, open_notebook: OpenNotebook
) -> None:
    window = running_second_step(open_notebook, lab)
    window.kill_kernel()
    panel = window.panel()
    expect(panel.locator(".bm-state")).to_contain_text("No kernel")
    expect(panel.locator(".bm-note--gone")).to_contain_text("The kernel that ran this turn is gone")
    expect(panel.locator(".bm-stop")).to_be_disabled()
    window.shot("kernel-killed")
    saved_report(lab, window)
    window.open(while_it_runs=True)
    expect(window.page.locator(".jp-OutputArea").last).to_contain_text("save_note")
