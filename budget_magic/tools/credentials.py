"""Find credentials in the environment, by the variable's name or the value's shape."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import unquote

MINIMUM_LINE_LENGTH: Final = 16
"""Shorter lines of a multi-line secret, such as a PEM key, are not secrets by themselves."""

_STRONG_NAME: Final = re.compile(
    r"SECRET|PASSWORD|PASSWD|PASSPHRASE|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|WEBHOOK(?:_UR[LI])?$"
)
"""Names that count whatever their ending says."""
_WEAK_NAME: Final = re.compile(
    r"^(?:AWS|ANTHROPIC)_|TOKEN$|(?:^|_)TOKEN_|(?:_KEY|_PWD|_PAT|_SK|CREDENTIALS?)$"
    r"|DSN$|BEARER|COOKIE|WEBHOOK|JWT(?:_|$)|(?:^|_)CREDS(?:_|$)|(?:^|_)(?:SIGNING|SESSION)"
    r"|(?:^|_)PASS(?!ENGER|IVE|PORT|_?THR)"
    r"|AUTH(?!OR(?!I[SZ]))"  # but no author and no authority
)
"""Names that count unless they, or their ending, are known to hold something else."""
_HARMLESS_ENDING: Final = re.compile(
    r"_(?:UR[LI]|ENDPOINT|HOST|PORT|FILE|PATH|DIR|HOME|BUDGET|LIMIT|MODEL|REGION|PROFILE|OUTPUT"
    r"|NAME|MODE|TYPE|ENV|ARN|VERSION|LOG|LEVEL|TTL|TIMEOUT|RETRIES|ATTEMPTS|COUNT|LENGTH|SIZE"
    r"|PAGER|BUCKET|BETAS?|TIER|VAULT|ISSUER|AUDIENCE|SCOPES?|METHODS?|PROVIDER|BACKEND|DOMAIN"
    r"|ALGORITHMS?|ENABLED|REQUIRED?|ALLOWED|SAMESITE|REALM|CLASS|PLUGIN|USER|USERNAME|LOCATION"
    r"|EXPIR(?:Y|ES|ATION)|ENGINE|STORE|SOCK|SERVERS?|IDENTITY|ALIAS"
    r"|(?:PROJECT|ACCOUNT|WORKSPACE|ORGANIZATION|CLIENT|TENANT|RULE)_ID)$"
    r"|^ANTHROPIC_OPEN_TELEMETRY"
)
_HARMLESS_NAMES: Final = frozenset(
    {
        # Desktops on Linux
        "DBUS_SESSION_BUS_ADDRESS", "DBUS_SESSION_BUS_PID", "DBUS_SESSION_BUS_WINDOWID",
        "DESKTOP_SESSION", "GNOME_DESKTOP_SESSION_ID", "KDE_FULL_SESSION", "KDE_SESSION_UID",
        "LXQT_SESSION_CONFIG", "MATE_DESKTOP_SESSION_ID", "SESSIONTYPE", "SESSION_MANAGER",
        "XDG_SESSION_DESKTOP", "XDG_SESSION_ID",
        # Terminals and Windows
        "ITERM_SESSION_ID", "KITTY_SESSION", "SESSIONNAME", "TERM_SESSION_ID", "TMUX_SESSION",
        "WT_SESSION",
        # Clouds
        "AWS_CA_BUNDLE", "AWS_SDK_LOAD_CONFIG", "GOOGLE_AUTH_SUPPRESS_CREDENTIALS_WARNINGS",
    }
)  # fmt: skip
_HARMLESS_VALUES: Final = frozenset(
    {
        "anonymous", "anthropic", "automatic", "changeme", "completed", "credentials",
        "development", "disabled", "external", "internal", "localhost", "no-key-required",
        "not-needed", "optional", "password", "placeholder", "postgres", "production", "required",
        "simulated", "simulator", "standard", "undefined", "username", "your-api-key",
    }
)  # fmt: skip
_NUMBER: Final = re.compile(r"[+-]?[\d.,_]+(?:e[+-]?\d+)?", re.IGNORECASE)
# A leading slash alone is not enough: keys in base64 may begin with one.
_PATH: Final = re.compile(r"(?:~|\.{1,2})?/(?:[a-z]{2,15}|Users|Volumes|Library)(?:/[^+=]*)?")
_DRIVE_PATH: Final = re.compile(r"[A-Za-z]:[\\/]")
_PLAIN_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/{2,3}[^@?#]*")
_URL_PASSWORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/\s:@]*:([^/\s@]+)@")
_SCHEME: Final = re.compile(r"(?:Bearer|Basic|Token) +(\S+)", re.IGNORECASE)

SHAPES: Final = {
    # detect-secrets 1.5.0 (May 2024, github.com/Yelp/detect-secrets, detect_secrets/plugins)
    "artifactory": r"AKC[a-zA-Z0-9]{10,}",
    "aws key id": r"(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{16}",
    "azure storage": r"(?<=AccountKey=)[a-zA-Z0-9+/=]{88}",
    "discord": r"[MNO][a-zA-Z\d_-]{23,25}\.[a-zA-Z\d_-]{6}\.[a-zA-Z\d_-]{27}",
    "github": r"gh[pousr]_[A-Za-z0-9_]{36,}",
    "gitlab": r"(?:glpat|gldt|glft|glsoat|glrt|glcbt|glimt|glptt|glagent|gloas)-[\w-]{20,}",
    "gitlab runner": r"GR1348941[\w-]{20,50}",
    "jwt": r"eyJ[\w=-]{10,}\.[\w=-]{2,}\.?[\w.+/=-]*",
    "mailchimp": r"[0-9a-z]{32}-us[0-9]{1,2}",
    "npm": r"npm_[A-Za-z0-9]{36}|(?<=:_authToken=)[A-Fa-f0-9-]{36}",
    "openai": r"sk-[\w-]*[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20,}",
    "private key": r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]+",
    "putty key": r"PuTTY-User-Key-File-[23][\s\S]+",
    "pypi": r"pypi-(?:AgEIcHlwaS5vcmc|AgENdGVzdC5weXBpLm9yZw)[\w-]{70,}",
    "sendgrid": r"SG\.[\w-]{22}\.[\w-]{43}",
    "slack": r"(?i:xox[abposr]-(?:\d+-)+[a-z0-9]+)",
    "slack webhook": r"(?i:https://hooks\.slack\.com/services/T\w+/B\w+/\w+)",
    "square": r"sq0csp-[\w\\-]{43}",
    "stripe": r"[rs]k_live_[0-9a-zA-Z]{24,}",
    "telegram": r"\d{8,10}:[\w-]{35}",
    "twilio": r"(?:AC|SK)[a-z0-9]{32}",
    # The vendors' own descriptions, read in November 2026
    "anthropic": r"sk-ant-[\w-]{8,}",
    "github fine-grained": r"github_pat_\w{22,}",
    "google": r"AIza[\w-]{35}|ya29\.[\w.-]{20,}|GOCSPX-[\w-]{28}",
    "hugging face": r"hf_[A-Za-z0-9]{30,}",
    "openai project": r"sk-(?:proj|svcacct|admin)-[\w-]{20,}",
}  # fmt: skip
"""Shapes of credentials that count in a variable of any name."""
_SHAPE: Final = re.compile(
    "|".join(f"(?<![A-Za-z0-9])(?:{shape})(?![A-Za-z0-9])" for shape in SHAPES.values())
)


def credentials(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each credential of the environment with the name of its variable.

    A whole value counts if the variable's name suggests a credential. In any variable, the password
    in a URL counts, and text with the shape of a known kind of credential.
    """
    for name, value in sorted(environ.items()):
        for found in _found(name.upper(), value):
            if not is_placeholder(found):
                yield name, found


def is_placeholder(value: str) -> bool:
    """Return whether a value is an ordinary word or a placeholder for a credential."""
    return value.strip().casefold() in _HARMLESS_VALUES


def parts(value: str) -> Iterator[str]:
    """Yield a value and the parts that may occur alone: its lines, the key after `Bearer`."""
    yield value.strip()
    yield from (found[1] for found in _SCHEME.finditer(value))
    lines = value.strip().splitlines()
    if len(lines) > 1:
        long = (line.strip() for line in lines if not line.startswith("-----"))
        yield from (line for line in long if len(line) >= MINIMUM_LINE_LENGTH)


def _found(name: str, value: str) -> Iterator[str]:
    for password in _URL_PASSWORD.finditer(value):
        yield from (password[1], unquote(password[1]))
    for shaped in _SHAPE.finditer(value):
        yield from parts(shaped[0])
    if _is_credential(name, value.strip()):
        yield from parts(value)


def _is_credential(name: str, value: str) -> bool:
    if not _STRONG_NAME.search(name):
        if name in _HARMLESS_NAMES or _HARMLESS_ENDING.search(name):
            return False
        if not _WEAK_NAME.search(name):
            return False
    if _PATH.fullmatch(value) or _DRIVE_PATH.match(value):
        return False
    if "DSN" in name and _PLAIN_URL.fullmatch(value):
        return False  # a database file or a server without a password
    return "PASSWORD" in name or _NUMBER.fullmatch(value) is None
