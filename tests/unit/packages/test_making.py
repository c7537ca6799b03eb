"""What is built when, and what must hold before."""

import dataclasses

import pytest

from packages import building, checks, debian, making, places, toolchains
from packages.errors import PackagesError
from packages.recipes import RECIPES_BY_NAME


@pytest.fixture
def builds(monkeypatch, cache):
    """Names that were built; a build makes a small program instead of the real one."""
    names = []

    def build(recipe, architecture):
        names.append(recipe.name)
        folder = places.work() / recipe.name
        folder.mkdir(parents=True)
        (folder / recipe.name).write_text("a program\n")
        return folder / recipe.name

    monkeypatch.setattr(building, "build", build)
    monkeypatch.setattr(checks, "tools", lambda recipes: None)
    monkeypatch.setattr(checks, "space", lambda recipes: None)
    monkeypatch.setattr(debian, "architecture", lambda: "amd64")
    return names


def packages(link):
    return sorted(path.name for path in link.glob("*.deb"))


def test_a_package_is_built_once(builds):
    link = making.make(["loki"])
    making.make(["loki"])
    assert builds == ["loki"]
    assert packages(link) == ["loki_3.6.15_amd64.deb"]
    assert not list(places.work().iterdir())


def test_what_was_built_before_stays_in_the_repository(builds):
    making.make(["loki"])
    assert packages(making.make(["promtail"])) == ["loki_3.6.15_amd64.deb", "promtail_3.6.15_amd64.deb"]
    assert builds == ["loki", "promtail"]


def test_a_changed_recipe_is_built_and_replaces_the_old_one(builds, monkeypatch):
    making.make(["loki"])
    changed = dataclasses.replace(RECIPES_BY_NAME["loki"], version="3.6.16")
    monkeypatch.setitem(RECIPES_BY_NAME, "loki", changed)
    assert packages(making.make(["loki"])) == ["loki_3.6.16_amd64.deb"]
    assert builds == ["loki", "loki"]


def test_a_finished_package_is_there_when_the_next_one_fails(builds, monkeypatch):
    build = building.build

    def fails(recipe, architecture):
        if recipe.name == "promtail":
            raise PackagesError("it fails", "try again")
        return build(recipe, architecture)

    monkeypatch.setattr(building, "build", fails)
    with pytest.raises(PackagesError):
        making.make(["loki", "promtail"])
    assert packages(places.repository()) == ["loki_3.6.15_amd64.deb"]


# --- checks


def test_too_little_space(cache):
    recipes = [RECIPES_BY_NAME["loki"], RECIPES_BY_NAME["promtail"]]
    needed = RECIPES_BY_NAME["loki"].gigabytes  # once: they share what they fetch
    checks.space(recipes, free=needed * checks.GIB)
    with pytest.raises(PackagesError, match=f"needs {needed} GiB") as caught:
        checks.space(recipes, free=needed * checks.GIB - 1)
    assert "XDG_CACHE_HOME" in caught.value.cure


def test_an_unknown_machine():
    checks.architecture("arm64")
    with pytest.raises(PackagesError, match="packages for s390x"):
        checks.architecture("s390x")


def test_missing_packages_are_named_once(monkeypatch):
    states = {"gcc": "installed", "libsystemd-dev": "config-files"}
    assert debian.missing(["gcc", "libsystemd-dev", "make", "make"], lambda name: states.get(name, "")) == [
        "libsystemd-dev",
        "make",
    ]


def test_without_root_missing_packages_are_a_problem_with_the_command(monkeypatch):
    monkeypatch.setattr(debian, "missing", lambda names: ["libsystemd-dev"])
    monkeypatch.setattr(debian.os, "geteuid", lambda: 1000)
    with pytest.raises(PackagesError) as caught:
        debian.ensure(["libsystemd-dev"])
    assert caught.value.cure == "as root: apt-get install --no-install-recommends libsystemd-dev"


# --- compilers


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go version go1.26.8 linux/amd64\n", (1, 26, 8)),
        ("go version go1.27 linux/amd64\n", (1, 27, 0)),
        ("rustc 1.95.0 (59807616e 2026-04-14)\n", (1, 95, 0)),
        ("", None),
    ],
)
def test_versions_of_compilers(text, version):
    assert toolchains.parse(text) == version


def test_an_own_go_that_is_new_enough_is_taken(monkeypatch):
    monkeypatch.setattr(toolchains.shutil, "which", lambda name: "/opt/go/bin/go")
    monkeypatch.setattr(toolchains, "version_of", lambda *words: (1, 26, 5))
    assert str(toolchains.go("amd64")) == "/opt/go/bin/go"


def test_an_older_go_fetches_the_right_one(monkeypatch, cache, tmp_path):
    for name in ("bin/go", "pkg/tool/linux_amd64/compile"):
        file = tmp_path / name
        file.parent.mkdir(parents=True)
        file.write_text("")
        file.chmod(0o444)
    asked = []

    def run(*words, **settings):
        asked.extend(words)
        return f'{{"Dir": "{tmp_path}"}}'

    monkeypatch.setattr(toolchains.shutil, "which", lambda name: "/usr/bin/go")
    monkeypatch.setattr(toolchains, "version_of", lambda *words: (1, 19, 8))
    monkeypatch.setattr(toolchains, "run", run)
    assert toolchains.go("amd64") == tmp_path / "bin" / "go"
    assert asked[-1] == "golang.org/toolchain@v0.0.1-go1.26.5.linux-amd64"
    assert (tmp_path / "pkg/tool/linux_amd64/compile").stat().st_mode & 0o777 == 0o555


def test_an_older_rust_is_refused(monkeypatch):
    monkeypatch.setattr(toolchains.shutil, "which", lambda name: "/usr/bin/cargo")
    monkeypatch.setattr(toolchains, "version_of", lambda *words: (1, 85, 0))
    with pytest.raises(PackagesError, match=r"Rust 1\.85\.0 is too old"):
        toolchains.rust()
