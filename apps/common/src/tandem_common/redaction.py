"""Keeps credentials out of logs: those that this process was given, and whatever looks like one."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from structlog.typing import EventDict, WrappedLogger

HIDDEN = "[hidden]"
SHORTEST = 8
"""A shorter credential would be found inside of ordinary words."""

_NAMES = r"passw(?:or)?d|passphrase|secret|token|authorization|cookie|credential|api[-_]?key|private[-_]?key"
_NAME = re.compile(_NAMES, re.IGNORECASE)
# Every rule needs one of these. To look for plain words is a hundred times quicker than the rules, and nearly all lines
# have none.
_WORDS = (
    "passw",
    "passphrase",
    "secret",
    "token",
    "authorization",
    "cookie",
    "credential",
    "key",
    "bearer",
    "basic",
    "eyj",
    "://",
)
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    # -----BEGIN … PRIVATE KEY-----; the end may be cut off. In a repr, a line's end is two characters.
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)", re.DOTALL), HIDDEN),
    (re.compile(r"\b(bearer|basic)\s+(?!\[hidden\])[\w.~+/=-]{6,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    # A JWT, or its beginning.
    (re.compile(r"\beyJ[\w-]{8,}(?:\.[\w-]*){0,2}"), HIDDEN),
    # scheme://user:password@host
    (re.compile(r"(://[^\s:/@'\"]*:)[^\s/@'\"]+@"), rf"\1{HIDDEN}@"),
    # password=…, 'token': '…', Authorization: … ; quoted values may have blanks.
    (
        re.compile(
            rf"""((?:{_NAMES})[\w-]*\\?["']?\s{{0,3}}[:=]\s{{0,3}}(?!\[hidden\]|(?:bearer|basic)\s)(?:b(?=["']))?)"""
            r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s,;&"'{}()\[\]]+)""",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
)


class Redaction:
    """Takes credentials out of texts and records. Safe to use from several threads."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """`secrets` are credentials as they were read; those of several lines count line by line, too."""
        forms = {form for secret in secrets for form in _forms(secret)}
        # The longest first: one may be the beginning of another.
        self._known = sorted(forms, key=len, reverse=True)

    @classmethod
    def of_process(cls) -> "Redaction":
        """Knows the files in $CREDENTIALS_DIRECTORY."""
        directory = os.environ.get("CREDENTIALS_DIRECTORY")
        files = sorted(Path(directory).iterdir()) if directory else []
        return cls(file.read_text(errors="replace") for file in files if file.is_file())

    def text(self, text: str) -> str:
        """The text without credentials."""
        for form in self._known:
            text = text.replace(form, HIDDEN)
        if _has_a_word(text):
            for pattern, replacement in _RULES:
                text = pattern.sub(replacement, text)
        return text

    def value(self, value: Any) -> Any:
        """The same for what a log line may hold; objects that JSON does not know become texts."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._member(str(key), one) for key, one in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(one) for one in value]
        return self.text(repr(value))

    def _member(self, name: str, value: Any) -> Any:
        """A member with a name like `password` is hidden, whatever its text is."""
        return HIDDEN if isinstance(value, str | bytes) and _NAME.search(name) else self.value(value)

    def __call__(self, _logger: WrappedLogger, _method: str, record: EventDict) -> EventDict:
        """structlog's processor; the last one before the record becomes a line."""
        if self._is_harmless(record):
            return record
        return {name: self._member(name, value) for name, value in record.items()}

    def _is_harmless(self, record: EventDict) -> bool:
        """True if there is surely nothing to hide: the usual case, which must cost next to nothing."""
        texts = []
        for name, value in record.items():
            texts.append(name)
            if type(value) is str:
                texts.append(value)
            elif not (value is None or isinstance(value, bool | int | float)):
                return False
        whole = "\n".join(texts)
        return not _has_a_word(whole) and not any(form in whole for form in self._known)


def _has_a_word(text: str) -> bool:
    lower = text.lower()
    return any(word in lower for word in _WORDS)


def _forms(secret: str) -> Iterable[str]:
    """The ways in which a credential can stand in a text."""
    whole = secret.strip()
    lines = [line.strip() for line in whole.splitlines()]
    for part in {whole, *(line for line in lines if not line.startswith("-----"))}:
        if len(part) >= SHORTEST:
            yield part
            yield repr(part)[1:-1]
