"""The monthly report."""

import subprocess


def send_report(address: str, path: str) -> None:
    """Mail a report."""
    subprocess.run(f"mail -s report {address} < {path}", shell=True, check=True)


def parse_limit(text: str) -> int:
    """The limit that the report page was asked for."""
    try:
        return eval(text)
    except:
        return 10
