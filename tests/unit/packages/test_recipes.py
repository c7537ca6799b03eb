"""What is built, and when it is built again."""

import dataclasses
import re

import pytest

from packages import recipes
from packages.building import edited
from packages.errors import PackagesError
from packages.recipes import RECIPES_BY_NAME, Edit, key, sources


def test_a_changed_recipe_has_another_key(recipe):
    same = dataclasses.replace(recipe)
    assert key(same, "amd64") == key(recipe, "amd64")
    others = [
        dataclasses.replace(recipe, version="3.6.16"),
        dataclasses.replace(recipe, tags=""),
        dataclasses.replace(recipe, depends=()),
    ]
    assert len({key(each, "amd64") for each in [recipe, *others]}) == 4
    assert key(recipe, "arm64") != key(recipe, "amd64")


def test_a_changed_module_file_gives_another_key(recipe, monkeypatch, tmp_path):
    monkeypatch.setattr(recipes, "RECIPES", tmp_path)
    (tmp_path / recipe.source).mkdir()
    (tmp_path / recipe.source / "go.sum").write_text("one")
    before = key(recipe, "amd64")
    (tmp_path / recipe.source / "notes.txt").write_text("not a source")
    assert key(recipe, "amd64") == before
    (tmp_path / recipe.source / "go.sum").write_text("two")
    assert key(recipe, "amd64") != before


def test_a_changed_packaging_gives_another_key(recipe, monkeypatch):
    before = key(recipe, "amd64")
    monkeypatch.setattr(recipes, "FORMAT", recipes.FORMAT + 1)
    assert key(recipe, "amd64") != before


@pytest.mark.parametrize("name", ["loki", "promtail"])
def test_modules_are_pinned_to_the_version_that_the_package_tells(name):
    recipe = RECIPES_BY_NAME[name]
    files = {file.name: file.read_text() for file in sources(recipe)}
    assert set(files) == {"go.mod", "go.sum", "tools.go"}
    assert re.search(
        rf"github.com/grafana/loki/v3 v{re.escape(recipe.version)}$", files["go.mod"], re.MULTILINE
    )
    assert f'"{recipe.program}"' in files["tools.go"]
    assert f"github.com/grafana/loki/v3 v{recipe.version} h1:" in files["go.sum"]


def test_the_roles_install_what_is_built(root):
    text = (root / "roles" / "loki" / "defaults" / "main.yml").read_text()
    assert f"loki_version: {RECIPES_BY_NAME['loki'].version}\n" in text


def test_a_crate_has_no_files_here():
    assert sources(RECIPES_BY_NAME["garage"]) == []


def test_an_edit_of_a_file_that_changed_is_refused():
    edit = Edit("example.org/module", "file.go", "Wait(1)", "Wait(2)")
    assert edited("a; Wait(1); b", edit) == "a; Wait(2); b"
    for text in ("a; b", "Wait(1); Wait(1)"):
        with pytest.raises(PackagesError, match="not once"):
            edited(text, edit)
