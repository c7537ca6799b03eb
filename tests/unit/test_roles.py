"""What every role must have: a specification that matches its defaults, outputs, a README, a scenario."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.tools.role_readme import is_current

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if (path / "tasks").is_dir())
LISTEN_KEYS = {"name", "port", "protocol", "address", "from"}
LONGEST_TASK_FILE = 100

pytestmark = pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def options_of(role: Path) -> dict[str, Any]:
    """The options of all entry points of a role."""
    specs = read(role / "meta" / "argument_specs.yml")["argument_specs"]
    return {name: option for spec in specs.values() for name, option in spec.get("options", {}).items()}


def defaults_of(role: Path) -> dict[str, Any]:
    path = role / "defaults" / "main.yml"
    return read(path) or {} if path.exists() else {}


def test_every_optional_argument_has_a_default_and_every_default_is_an_argument(role: Path) -> None:
    optional = {name for name, option in options_of(role).items() if not option.get("required")}
    assert set(defaults_of(role)) == optional


def test_the_specification_tells_the_true_defaults(role: Path) -> None:
    defaults = defaults_of(role)
    told = {name: option["default"] for name, option in options_of(role).items() if "default" in option}
    assert told == {name: defaults[name] for name in told}


def test_arguments_are_described_and_carry_the_roles_name(role: Path) -> None:
    for name, option in options_of(role).items():
        assert name.startswith(f"{role.name}_")
        assert option.get("description"), name


def test_the_role_says_what_it_listens_on(role: Path) -> None:
    listens = read(role / "vars" / "main.yml")[f"{role.name}_listens"]
    assert isinstance(listens, list | str)
    for entry in listens if isinstance(listens, list) else []:
        assert set(entry) == LISTEN_KEYS


def test_the_readme_is_up_to_date(role: Path) -> None:
    assert is_current(role), f"run: .venv/bin/python tests/tools/role_readme.py {role.name}"


def test_the_role_has_a_scenario(role: Path) -> None:
    scenario = ROOT / "molecule" / role.name
    for name in ("molecule.yml", "converge.yml"):
        assert (scenario / name).is_file(), name
    assert list((scenario / "tests").glob("test_*.py"))


def test_task_files_are_short(role: Path) -> None:
    for path in (role / "tasks").glob("*.yml"):
        assert len(path.read_text().splitlines()) < LONGEST_TASK_FILE, path.name
