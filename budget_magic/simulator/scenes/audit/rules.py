"""What an audit looks for: patterns, why each matters, what to do instead."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_COMMENTS: Final = ("#", "//", "*", "--", ">>>", "...")
_RAW_STRING: Final = re.compile(r"\br[\"']")
"""What stands in a raw string is mostly a pattern that looks for the problem."""
SEVERITIES: Final = ("high", "medium", "low")
CODE: Final = frozenset(
    """py pyi ipynb js ts jsx tsx mjs sh bash zsh rb go java kt php c cc cpp h hpp rs cs pl r sql
    html htm vue svelte""".split()  # noqa: SIM905 - reads better as words
)
CONFIG: Final = frozenset(
    "yml yaml toml ini cfg conf env json properties tf".split()  # noqa: SIM905 - likewise
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One kind of problem that a line can show."""

    title: str
    severity: str
    pattern: str
    """What grep looks for; also read by Python's `re`."""
    why: str
    instead: str
    confirm: str = ""
    """A further pattern that a hit must match as well."""
    unless: str = ""
    """A pattern that clears a hit."""
    config: bool = False
    """Whether configuration files can show it too."""
    not_in_tests: bool = False

    def fits(self, path: str, line: str) -> bool:
        """Whether this line of this file shows the problem."""
        name = path.replace("\\", "/").rsplit("/", 1)[-1].lower()
        suffix = name.rsplit(".", 1)[-1] if "." in name else name
        if suffix not in CODE and not (self.config and (suffix in CONFIG or "." not in name)):
            return False
        if self.not_in_tests and re.search(r"(^|/)(tests?/|test_|conftest)", path):
            return False
        if self.title != UNFINISHED and line.lstrip().startswith(_COMMENTS):
            return False
        match = re.search(self.pattern, line)
        if match is None or _RAW_STRING.search(line[: match.start() + 1]):
            return False
        if self.confirm and re.search(self.confirm, line) is None:
            return False
        return not (self.unless and re.search(self.unless, line))


UNFINISHED: Final = "Work left open"
_SECRETS: Final = (
    r"(?i:passw(or)?d|passwd|secret|api_?key|access_?key|auth_?token|private_?key|token)"
)

GROUPS: Final[tuple[tuple[str, tuple[Rule, ...]], ...]] = (
    (
        "code that runs what it is given",
        (
            Rule(
                title="Text is run as code",
                severity="high",
                pattern=r"\b(eval|exec)\(",
                unless=r"(\.|def |\bre\.)(eval|exec)\(|literal_eval",
                why="Whoever controls the text controls the process.",
                instead="Parse the input: `ast.literal_eval`, `json.loads`, or a table of allowed"
                " operations.",
            ),
            Rule(
                title="Command built for a shell",
                severity="high",
                pattern=r"shell ?= ?True|os\.system\(|os\.popen\(",
                why="A file name or argument with `;` or `$(...)` runs further commands.",
                instead='Pass a list, no shell: `subprocess.run(["cmd", argument], check=True)`.',
            ),
        ),
    ),
    (
        "data that can carry code",
        (
            Rule(
                title="Unsafe deserialisation",
                severity="high",
                pattern=r"\b(c?[pP]ickle|marshal|dill)\.loads?\(|shelve\.open\(",
                why="Loading crafted data runs code of its author's choice.",
                instead="Use JSON, or sign the data and check the signature before loading.",
            ),
            Rule(
                title="YAML loaded with an unsafe loader",
                severity="high",
                pattern=r"yaml\.(unsafe_|full_)?load\(",
                unless=r"SafeLoader|safe_load",
                why="YAML tags can build arbitrary Python objects.",
                instead="Call `yaml.safe_load`.",
            ),
        ),
    ),
    (
        "secrets in the source",
        (
            Rule(
                title="Secret written into the source",
                severity="high",
                pattern=_SECRETS
                + r"""\w*["']?\]? ?[:=] ?["'][^"']{4,}["']|AKIA[0-9A-Z]{16}|PRIVATE KEY-----""",
                unless=r"environ|getenv|getpass|tokens|token_(count|limit|ceiling)|"
                r"\$\{|\{\{|<[a-z_-]+>|(?i:your[-_ ])|== ",
                config=True,
                why="Everyone with the repository, its history or a backup has the secret.",
                instead="Read it from the environment or a secret store, and replace the secret"
                " that was exposed.",
            ),
        ),
    ),
    (
        "queries built from text",
        (
            Rule(
                title="SQL built from text",
                severity="high",
                pattern=r"""(?i:(execute|executemany|raw|query)\( ?f["']|"""
                r"""["' (](select .+ from|insert into|update .+ set|delete from)\b)""",
                confirm=r"""f["']|["'] ?%|% ?\(|\.format\(|["'] ?\+ ?\w|\+ ?["']""",
                why="A value that holds a quote changes the query (SQL injection).",
                instead='Pass values beside the query: `execute("... WHERE id = ?", (id,))`.',
            ),
        ),
    ),
    (
        "connections and web settings",
        (
            Rule(
                title="Certificate check switched off",
                severity="high",
                pattern=r"verify ?= ?False|check_hostname ?= ?False|_create_unverified_context",
                why="Anyone on the path can read and change the traffic.",
                instead="Leave verification on; trust a private authority by its certificate file.",
            ),
            Rule(
                title="Debug mode switched on",
                severity="medium",
                pattern=r"(?i:\bdebug) ?[:=] ?(True|true)\b",
                config=True,
                why="Debug pages show source and variables, and some run code.",
                instead="Take it from the environment and leave it off by default.",
            ),
            Rule(
                title="HTML made from text",
                severity="medium",
                pattern=r"\.innerHTML ?=|document\.write\(|\|safe\b|Markup\(",
                why="Text from a user becomes markup and script (cross-site scripting).",
                instead="Set `textContent`, or leave the template's escaping on.",
            ),
        ),
    ),
    (
        "hashes and comparisons",
        (
            Rule(
                title="Secret compared with ==",
                severity="medium",
                pattern=r"(?i:token|secret|passw(or)?d|passwd|signature|digest|hmac|api_?key)"
                r"""["'\w\])(.]* ?[!=]= ?\w|[!=]= ?[\w."'\[]*"""
                r"(?i:token|secret|passw(or)?d|signature|digest|hmac|api_?key)",
                unless=r"tokens|stop_reason|"
                r"""[!=]= ?(None|True|False|["']{2}|\d|len\()|len\(|\.kind\b|\.type\b""",
                not_in_tests=True,
                why="The comparison stops at the first wrong character, and its time tells where.",
                instead="Use `hmac.compare_digest`, and keep passwords as slow salted hashes.",
            ),
            Rule(
                title="Weak hash",
                severity="medium",
                pattern=r"\b(md5|sha1)\(|hashlib\.new\( ?[\"'](md5|sha1)",
                unless=r"usedforsecurity ?= ?False",
                why="MD5 and SHA-1 can be forged, and passwords hashed so are found quickly.",
                instead="Use SHA-256, and `hashlib.scrypt` or argon2 for passwords.",
            ),
            Rule(
                title="Secret from a guessable generator",
                severity="medium",
                pattern=r"random\.(random|randint|choice|choices|randrange|getrandbits)\(",
                confirm=r"(?i:token|secret|passw|key|code|session|nonce|salt)",
                why="The generator of `random` can be predicted from earlier values.",
                instead="Use the `secrets` module.",
            ),
        ),
    ),
    (
        "errors, checks and temporary files",
        (
            Rule(
                title="Errors swallowed",
                severity="medium",
                pattern=r"except ?:|except (Base)?Exception ?: ?pass",
                why="Interrupts and real faults vanish, and the program goes on in a wrong state.",
                instead="Catch what can be handled, by name, and let the rest through.",
            ),
            Rule(
                title="Temporary name without a file",
                severity="medium",
                pattern=r"tempfile\.mktemp\(|os\.tempnam\(",
                why="Between the name and its use, someone else can create the file.",
                instead="Use `tempfile.NamedTemporaryFile` or `tempfile.mkstemp`.",
            ),
            Rule(
                title="Permissions for everyone",
                severity="medium",
                pattern=r"chmod\(.*0o?777|chmod (-R )?777",
                why="Every account on the machine can change the file.",
                instead="Give the owner what is needed: `0o600` or `0o700`.",
            ),
            Rule(
                title="Check made with assert",
                severity="low",
                pattern=r"^\s*assert ",
                not_in_tests=True,
                why="Under `python -O` the check is gone.",
                instead="Raise an exception.",
            ),
        ),
    ),
    (
        "open ends",
        (
            Rule(
                title="Shared default value",
                severity="low",
                pattern=r"def \w+\(.*= ?(\[\]|\{\}|set\(\))",
                why="The default is made once and shared by all calls.",
                instead="Default to None and make the value inside.",
            ),
            Rule(
                title=UNFINISHED,
                severity="low",
                pattern=r"\b(TODO|FIXME|XXX|HACK)\b",
                config=True,
                why="Someone knew of a gap here.",
                instead="Close it, or turn it into an issue that says what is missing.",
            ),
        ),
    ),
)
"""Rules by the search that finds them: one grep per group, worst first within it."""

RULES: Final = tuple(rule for _, rules in GROUPS for rule in rules)


def search_pattern(rules: tuple[Rule, ...]) -> str:
    """One regular expression that finds what any of the rules looks for."""
    return "|".join(rule.pattern for rule in rules)


_ANY: Final = re.compile(search_pattern(RULES))


def find_rule(path: str, line: str) -> Rule | None:
    """The first rule that this line of this file breaks; None where it breaks none."""
    if _ANY.search(line) is None:
        return None
    return next((rule for rule in RULES if rule.fits(path, line)), None)
