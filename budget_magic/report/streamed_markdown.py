"""TEMPORARY stand-in until report9 is merged."""

from budget_magic.report.markdown import render_markdown


class StreamedMarkdown:
    def __init__(self) -> None:
        self.tail = ""

    def feed(self, text: str) -> list[str]:
        self.tail += text
        *done, rest = self.tail.split("\n\n") if "```" not in self.tail else [self.tail]
        self.tail = rest
        return [render_markdown(d) for d in done]

    def finish(self) -> list[str]:
        html = render_markdown(self.tail)
        self.tail = ""
        return [html]
