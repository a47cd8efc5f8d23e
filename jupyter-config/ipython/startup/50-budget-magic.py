"""Loads budget_magic in every kernel; copy it to an IPython startup folder to opt in."""

try:
    get_ipython().run_line_magic("load_ext", "budget_magic")  # noqa: F821 - IPython defines it
except Exception as error:  # noqa: BLE001 - a start-up file must never keep a kernel from starting
    print(f"budget_magic was not loaded: {error}")  # noqa: T201 - said where the user sees it
