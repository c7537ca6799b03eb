"""Write a role's README.md from what the role says of itself.

Sources: `meta/main.yml` (description), `meta/argument_specs.yml` (entry points and variables),
`defaults/main.yml` and `vars/main.yml` (`<role>_listens`). Usage:
`python tests/tools/role_readme.py [--check] ROLE...`; with --check nothing is written and the exit code says
whether the files are up to date.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
# Ansible's markup for words that are code: C(x), O(x), V(x), E(x), RV(x), and FQCNs of modules, M(x).
MARKUP = re.compile(r"\b(?:C|O|V|E|RV|M)\(((?:[^()]|\([^()]*\))*)\)")
LISTEN_KEYS = ("name", "port", "protocol", "address", "from")


def render(role: Path) -> str:
    """Return the README of the role in this folder."""
    meta = _read(role / "meta" / "main.yml")["galaxy_info"]
    entry_points = _read(role / "meta" / "argument_specs.yml")["argument_specs"]
    parts = [f"# Role `{role.name}`\n", f"{_sentence(meta['description'])}\n"]
    defaults = _read(role / "defaults" / "main.yml") or {}
    for name, entry_point in entry_points.items():
        parts += _entry_point(name, entry_point, defaults)
    parts += _listens(role)
    parts += [
        "## Tests\n",
        f"`make molecule ROLE={role.name}` runs `molecule/{role.name}/` on lab hosts.\n",
        "This file is made by `tests/tools/role_readme.py`; change the sources that it names.",
    ]
    return "\n".join(parts) + "\n"


def is_current(role: Path) -> bool:
    """Whether the README says what the role says."""
    readme = role / "README.md"
    return readme.exists() and readme.read_text() == render(role)


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text()) if path.exists() else {}


def _entry_point(name: str, spec: dict[str, Any], defaults: dict[str, Any]) -> Iterator[str]:
    title = "What it does" if name == "main" else f"Entry point `{name}`"
    yield f"## {title}\n"
    for paragraph in _paragraphs(spec.get("description") or spec.get("short_description", "")):
        yield f"{paragraph}\n"
    if name != "main":
        yield f"Use it with `tasks_from: {name}`.\n"
    options = {
        option: {"default": defaults.get(option), **facts}
        for option, facts in spec.get("options", {}).items()
    }
    if options:
        yield "## Variables\n" if name == "main" else "Variables:\n"
        yield "\n".join(_options(options, depth=0)) + "\n"


def _options(options: dict[str, Any], depth: int) -> Iterator[str]:
    indent = "  " * depth
    for name, option in options.items():
        facts = [_type(option)]
        if option.get("required"):
            facts.append("required")
        elif option.get("default") is not None:
            facts.append(f"default `{_value(option['default'])}`")
        if option.get("choices"):
            facts.append("one of " + ", ".join(f"`{_value(choice)}`" for choice in option["choices"]))
        text = " ".join(_paragraphs(option.get("description", "")))
        yield f"{indent}- `{name}` ({', '.join(facts)}): {text}"
        yield from _options(option.get("options", {}), depth + 1)


def _type(option: dict[str, Any]) -> str:
    kind = option.get("type", "str")
    return f"list of {option['elements']}" if kind == "list" and "elements" in option else kind


def _value(value: object) -> str:
    return value if isinstance(value, str) and value else json.dumps(value)


def _paragraphs(description: str | list[str]) -> list[str]:
    listed = [description] if isinstance(description, str) else description
    return [_sentence(MARKUP.sub(r"`\1`", " ".join(str(text).split()))) for text in listed]


def _sentence(text: str) -> str:
    return text if text.endswith((".", ":", "!", "?")) else f"{text}."


def _listens(role: Path) -> Iterator[str]:
    variables = _read(role / "vars" / "main.yml") or {}
    found = {name: value for name, value in variables.items() if name.endswith("_listens")}
    yield "## Listens on\n"
    yield f"Output `{role.name}_listens`, for the firewall and the scraper.\n"
    if not any(found.values()):
        yield "Nothing.\n"
    for name, value in found.items():
        if isinstance(value, str) and len(found) == 1:
            yield f"```yaml\n{name}: >-\n  {value.strip()}\n```\n"
        tables = value if isinstance(value, dict) else {"": value}
        for kind, listed in tables.items():
            if isinstance(listed, list) and listed:
                yield "\n".join([*([f"As `{kind}`:\n"] if kind else []), *_table(listed)]) + "\n"


def _table(listed: list[dict[str, Any]]) -> Iterator[str]:
    yield "| " + " | ".join(LISTEN_KEYS) + " |"
    yield "|" + "---|" * len(LISTEN_KEYS)
    for entry in listed:
        cells = [entry.get(key, "") for key in LISTEN_KEYS]
        texts = [", ".join(cell) if isinstance(cell, list) else f"`{cell}`" for cell in cells]
        yield "| " + " | ".join(texts) + " |"


def main() -> int:
    """Write the READMEs, or check them; return the exit code."""
    parser = argparse.ArgumentParser(description="Write README.md of roles from what they say of themselves.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail when a README is out of date"
    )
    parser.add_argument("roles", nargs="+", metavar="ROLE")
    arguments = parser.parse_args()
    stale = []
    for name in arguments.roles:
        role = ROOT / "roles" / name
        if not (role / "meta" / "argument_specs.yml").exists():
            parser.error(f"there is no role {name} with meta/argument_specs.yml")
        if not is_current(role):
            stale.append(name)
            if not arguments.check:
                (role / "README.md").write_text(render(role))
    if stale and arguments.check:
        sys.stderr.write(f"out of date: {', '.join(stale)}. Next: {sys.argv[0]} {' '.join(stale)}\n")
    return 1 if stale and arguments.check else 0


if __name__ == "__main__":
    sys.exit(main())
