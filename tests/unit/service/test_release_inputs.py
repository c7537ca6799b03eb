"""What a release is made from: locks, source folders, the hosts' Python."""

import pytest
from ansible_collections.tandem.platform.plugins.plugin_utils.releases_lock import LockError, parse_lock
from ansible_collections.tandem.platform.plugins.plugin_utils.releases_sources import (
    SourceError,
    copy_project,
    read_project,
    with_local,
)
from ansible_collections.tandem.platform.plugins.plugin_utils.releases_target import Target

TARGET = Target()
DIGEST = "a" * 64


@pytest.mark.parametrize(
    ("file", "fits"),
    [
        ("flask-3.1.3-py3-none-any.whl", True),
        ("x-1-cp313-cp313-manylinux_2_28_x86_64.whl", True),
        ("x-1-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", True),
        ("x-1-cp37-abi3-manylinux_2_5_x86_64.whl", True),
        ("x-1-py2.py3-none-any.whl", True),
        ("x-1-cp312-cp312-manylinux_2_28_x86_64.whl", False),
        ("x-1-cp313-cp313-manylinux_2_28_aarch64.whl", False),
        ("x-1-cp313-cp313-manylinux_2_99_x86_64.whl", False),
        ("x-1-cp313-cp313-musllinux_1_2_x86_64.whl", False),
        ("x-1-cp313-cp313t-manylinux_2_28_x86_64.whl", False),
        ("x-1-cp313-cp313-macosx_11_0_arm64.whl", False),
    ],
)
def test_wheels_that_fit_the_hosts(file, fits):
    assert TARGET.fits(file) is fits


def test_pip_is_asked_for_the_hosts_and_not_for_the_controller():
    options = TARGET.pip_options()
    assert options[:5] == ["--only-binary=:all:", "--python-version", "3.13", "--implementation", "cp"]
    assert "manylinux_2_28_x86_64" in options and "manylinux2014_x86_64" in options


def test_lock_is_read_for_the_hosts():
    lock = parse_lock(
        f"""
--index-url https://example.org/simple
flask==3.1.3 \\
    --hash=sha256:{DIGEST} \\
    --hash=sha256:{"b" * 64}
    # via hello
tomli==2.0 ; python_version < "3.11" --hash=sha256:{DIGEST}
Typing_Extensions==4.1 ; python_version >= "3.13" --hash=sha256:{DIGEST}  # why
pyjwt[crypto]==2.1 --hash=sha256:{DIGEST}
colorama==1 ; sys_platform == "win32" --hash=sha256:{DIGEST}
""",
        TARGET,
    )
    assert [pin.name for pin in lock.pins] == ["flask", "typing-extensions", "pyjwt"]
    assert lock.pins[0].hashes == {DIGEST, "b" * 64}
    assert lock.pins[1].requirement == "Typing_Extensions==4.1"
    assert lock.pins[2].line() == f"pyjwt[crypto]==2.1 --hash=sha256:{DIGEST}"
    assert lock.options == ("--index-url https://example.org/simple",)


def test_all_problems_of_a_lock_are_told_at_once():
    with pytest.raises(LockError) as error:
        parse_lock(f"flask==3\na==1 --hash=sha256:{DIGEST}\na==2 --hash=sha256:{DIGEST}\n???\n", TARGET)
    text = str(error.value)
    assert "flask has no sha256 hash" in text and "--generate-hashes" in text
    assert "a is pinned twice" in text
    assert "'???' is not a requirement" in text


@pytest.fixture
def folder(tmp_path):
    def make(name, text="", files=("src/x.py",)):
        place = tmp_path / name
        for file in files:
            (place / file).parent.mkdir(parents=True, exist_ok=True)
            (place / file).write_text("content\n")
        (place / "pyproject.toml").write_text(f'[project]\nname = "{name}"\n{text}')
        return place

    return make


def test_only_what_counts_changes_the_hash(folder):
    place = folder("app")
    before = read_project(place).digest
    for file in (
        "tests/test_x.py",
        ".venv/lib/y.py",
        "src/__pycache__/x.pyc",
        "dist/app.whl",
        "src/app.egg-info/PKG",
    ):
        (place / file).parent.mkdir(parents=True, exist_ok=True)
        (place / file).write_text("noise")
    (place / "requirements.lock").write_text("counted apart")
    assert read_project(place).digest == before
    (place / "src/x.py").write_text("changed\n")
    changed = read_project(place).digest
    assert changed != before
    (place / "src/x.py").rename(place / "src/y.py")
    assert read_project(place).digest not in (before, changed)


def test_the_same_files_elsewhere_are_the_same(folder, tmp_path):
    place = folder("app")
    copy_project(read_project(place), tmp_path / "copy")
    assert read_project(tmp_path / "copy").digest == read_project(place).digest


def test_only_what_is_hashed_is_copied(folder, tmp_path):
    place = folder("app", files=("src/x.py", "tests/t.py", ".secret", "assets/.npmrc"))
    copy_project(read_project(place), tmp_path / "copy")
    copied = {
        str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*") if path.is_file()
    }
    assert copied == {"src/x.py", "assets/.npmrc", "pyproject.toml"}


def test_local_packages_of_local_packages_come_along_once(folder):
    folder("base", '[tool.tandem]\nlocal = ["../app"]\n')  # a circle does no harm
    folder("common", '[tool.tandem]\nlocal = ["../base"]\n')
    app = folder("app", '[tool.tandem]\nlocal = ["../common", "../base"]\n')
    assert [project.name for project in with_local(app)] == ["app", "common", "base"]


def test_problems_of_a_source_folder_name_the_file(folder, tmp_path):
    with pytest.raises(SourceError, match=r"no pyproject\.toml"):
        read_project(tmp_path)
    with pytest.raises(SourceError, match=r"\.\./nowhere, but"):
        with_local(folder("app", '[tool.tandem]\nlocal = ["../nowhere"]\n'))
    with pytest.raises(SourceError, match="must be a list"):
        with_local(folder("app", '[tool.tandem]\nlocal = "../x"\n'))
    assets = folder("bundled", '[tool.tandem]\nassets = "assets"\n', ("assets/package.json",))
    with pytest.raises(
        SourceError, match=r"names assets, which has no package-lock\.json\. Next: .*npm install"
    ):
        read_project(assets)
    for wrong in ('"dist"', '"../assets"', '"/assets"', '"src/.assets"', '"tests/assets"'):
        with pytest.raises(SourceError, match="does not belong to a release"):
            read_project(folder("bundled", f"[tool.tandem]\nassets = {wrong}\n"))
    with pytest.raises(SourceError, match="assets must be a folder"):
        read_project(folder("bundled", '[tool.tandem]\nassets = ["x"]\n'))
    (tmp_path / "app/pyproject.toml").write_text("[project]\n")
    with pytest.raises(SourceError, match=r"no project\.name"):
        read_project(tmp_path / "app")
