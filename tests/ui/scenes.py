"""What the notebooks of the browser tests import: a scripted Claude, and functions for it."""

from __future__ import annotations

from typing import Final

LOAD: Final = "%load_ext budget_magic"
MODULE: Final = """
import threading, time
from budget_magic import tasks
from budget_magic.simulator import Call, Reply, Simulator, hold, Signal, slow
from budget_magic.wire.sdk import simulated_client

LONG = 'The next file is like the one before it, so there is little to add here. ' * 40
called = []

def scripted(*replies, pace=600, **more):
    sim = Simulator(list(replies), pace_tokens_per_s=pace, **more)
    return sim, simulated_client(sim.transport())

def wait_a_little() -> str:
    'Wait.'
    time.sleep(3)
    return 'waited'

def save_note(text: str) -> str:
    'Save a note.'
    called.append(text)
    return f'saved {len(text)} characters'

def steps(name):
    return [r.fact for r in tasks()[name].events if r.fact.kind == 'step_started']

def until_raised(name, steps):
    "Hold the reply of that step until its ceiling is raised."
    raised = Signal()
    def watch():
        while name not in tasks() or tasks()[name].settings.ceilings.steps == steps:
            time.sleep(0.05)
        raised.set()
    threading.Thread(target=watch, daemon=True).start()
    return hold(raised, on=steps - 1)

def note(text):
    return Call('save_note', {'text': text})
"""
PROJECT: Final = """
import pathlib
for n in range(8):
    pathlib.Path(f'module_{n}.py').write_text(
        f'import os\\npassword = "hunter-two-{n}"\\n\\ndef run(name):\\n    os.system(name)\\n' * 6
    )
"""
AUDIT: Final = (
    "%%claude_task audit -b 64k --client simulator\nAudit this folder for security problems."
)
SET_UP: Final = "from scenes_here import *\n"
