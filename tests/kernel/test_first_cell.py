"""The first cell of a kernel, before the SDK is imported."""

from __future__ import annotations

from tests.kernel.conftest import Kernel

WIDGET = "application/vnd.jupyter.widget-view+json"
SEEN = """
import sys
from IPython.core import displaypub

class Watch(type(get_ipython().display_pub)):
    imported = []
    def publish(self, *args, **kwargs):
        self.imported.append("anthropic" in sys.modules)
        super().publish(*args, **kwargs)

get_ipython().display_pub.__class__ = Watch
"""


def test_the_panel_is_shown_before_the_sdk_is_imported(fresh_kernel: Kernel) -> None:
    fresh_kernel.run(SEEN)
    ran = fresh_kernel.run("%%claude_task audit --client simulator -t none\nSay hello.")
    assert ran.status == "ok"
    assert fresh_kernel.run("print(Watch.imported[0], Watch.imported[-1])").text == "False True\n"
    assert WIDGET in ran.displays[0]
    assert ran.displays[0]["text/plain"] == "audit: starting; nothing has been sent yet"
    assert WIDGET not in ran.last
    assert "Completed" in ran.last["text/plain"]


def test_a_first_cell_that_is_refused_leaves_one_sentence(fresh_kernel: Kernel) -> None:
    ran = fresh_kernel.run("%%claude_task audit -m claude-none --client simulator\nSay hello.")
    assert ran.status == "error"
    assert ran.text.startswith("UsageError: no price is known for the model 'claude-none'")
    assert ran.last == {"text/html": "", "text/plain": ""}
