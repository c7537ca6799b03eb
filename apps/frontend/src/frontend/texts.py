"""Every text of the pages, in every language (texts/<language>.toml).

A text is a string with {placeholders}, or a table of strings by plural category (CLDR: one, few, many, other),
chosen by the placeholder `count`.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from frontend.languages import LANGUAGES, LOCALES

Text = str | Mapping[str, str]
PLURALS = frozenset({"zero", "one", "two", "few", "many", "other"})


def load(language: str) -> dict[str, Text]:
    """Texts of one language by dotted name."""
    source = resources.files("frontend") / "texts" / f"{language}.toml"
    return dict(_flat(tomllib.loads(source.read_text(encoding="utf-8")), ""))


def _flat(tree: Mapping[str, Any], prefix: str) -> list[tuple[str, Text]]:
    found: list[tuple[str, Text]] = []
    for key, value in tree.items():
        name = prefix + key
        if isinstance(value, str) or value.keys() <= PLURALS:
            found.append((name, value))
        else:
            found += _flat(value, name + ".")
    return found


@dataclass(frozen=True)
class Words:
    """The texts of one language."""

    language: str
    texts: Mapping[str, Text]

    def __call__(self, name: str, /, **values: object) -> str:
        """The text with its placeholders filled; KeyError if there is no such text."""
        text = self.texts[name]
        if not isinstance(text, str):
            text = text[LOCALES[self.language].plural_form(float(str(values["count"])))]
        return text.format(**values)

    def has(self, name: str) -> bool:
        """Whether there is such a text."""
        return name in self.texts


WORDS = {language: Words(language, load(language)) for language in LANGUAGES}
