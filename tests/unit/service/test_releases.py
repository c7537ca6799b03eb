"""Making releases: what is built, when, and what is refused. pip is a stand-in."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from ansible_collections.tandem.platform.plugins.plugin_utils import releases
from ansible_collections.tandem.platform.plugins.plugin_utils.releases import App, ReleaseError, make_all
from ansible_collections.tandem.platform.plugins.plugin_utils.releases_cache import Cache, default_folder


class Pip:
    """Stands in for pip: an index of wheels, and projects that build to given wheels."""

    def __init__(self, folder, write_wheel):
        self.index = folder
        self.write_wheel = write_wheel
        self.calls = []
        self.built = {}

    def download(self, requirements, destination, target, options=()):
        self.calls.append(("download", requirements, tuple(options)))
        for line in requirements.splitlines():
            name, _, version = line.split(" ")[0].partition("==")
            for path in self.index.glob(f"{name.split('[')[0].replace('-', '_')}-{version or '*'}-*.whl"):
                shutil.copy(path, destination)

    def build(self, source, destination):
        name = (source / "pyproject.toml").read_text().split('"')[1]
        self.calls.append(("build", name))
        self.write_wheel(destination, name, **self.built.get(name, {}))


@pytest.fixture
def pip(tmp_path, monkeypatch, write_wheel):
    folder = tmp_path / "index"
    folder.mkdir()
    stand_in = Pip(folder, write_wheel)
    monkeypatch.setattr(releases.pip, "download", stand_in.download)
    monkeypatch.setattr(releases.pip, "build", stand_in.build)
    return stand_in


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


@pytest.fixture
def project(tmp_path, pip):
    """Make an app folder whose lock pins the given wheels of the index."""

    def make(name, needs=("flask",), lock=("flask",), local=()):
        place = tmp_path / name
        place.mkdir(exist_ok=True)
        text = f'[project]\nname = "{name}"\n[tool.tandem]\nlocal = {json.dumps(list(local))}\n'
        (place / "pyproject.toml").write_text(text)
        (place / "x.py").write_text("x\n")
        pip.built[name] = {"requires": needs, "scripts": {name: f"{name}.cli:main"}}
        lines = []
        for package in lock:
            path = next(pip.index.glob(f"{package}-*.whl"))
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            lines.append(f"{package}=={path.name.split('-')[1]} --hash=sha256:{digest}\n")
        (place / "requirements.lock").write_text("".join(lines))
        return App(name, "folder", str(place))

    return make


@pytest.fixture
def flask(pip):
    return pip.write_wheel(pip.index, "flask", scripts={"flask": "flask.cli:main"})


def description(release):
    return json.loads(Path(release.archive).read_text())


def test_release_of_a_folder(pip, cache, project, flask):
    (release,) = make_all([project("users")], cache)
    assert release.built and len(release.id) == 12
    content = description(release)
    assert [wheel["name"] for wheel in content["wheels"]] == ["flask", "users"]
    assert content["scripts"] == {"users": "users.cli:main", "flask": "flask.cli:main"}
    assert all((cache.folder / "wheels" / w["sha256"] / w["file"]).exists() for w in content["wheels"])


def test_second_time_nothing_is_asked(pip, cache, project, flask):
    app = project("users")
    first = make_all([app], cache)[0]
    pip.calls.clear()
    second = make_all([app], cache)[0]
    assert pip.calls == [] and not second.built and second.id == first.id


def test_id_follows_code_lock_and_python_but_not_the_place(pip, cache, project, flask, tmp_path):
    app = project("users")
    first = make_all([app], cache)[0].id
    shutil.copytree(app.source, tmp_path / "elsewhere")
    assert make_all([App("users", "folder", str(tmp_path / "elsewhere"))], cache)[0].id == first
    (tmp_path / "elsewhere/x.py").write_text("y\n")
    assert make_all([App("users", "folder", str(tmp_path / "elsewhere"))], cache)[0].id != first
    lock = Path(app.source, "requirements.lock")
    lock.write_text(lock.read_text() + "# touched\n")
    assert make_all([app], cache)[0].id != first


def test_what_apps_share_is_built_and_downloaded_once(pip, cache, project, flask):
    project("common", needs=(), lock=())
    apps = [project(name, local=["../common"]) for name in ("users", "orders")]
    made = make_all(apps, cache)
    assert sorted(call[1] for call in pip.calls if call[0] == "build") == ["common", "orders", "users"]
    assert len([call for call in pip.calls if call[0] == "download"]) == 1
    assert {wheel["name"] for wheel in description(made[0])["wheels"]} == {"users", "common", "flask"}


def test_two_versions_of_a_package_take_two_calls(pip, cache, project, flask, write_wheel):
    one = project("users")
    flask.unlink()
    write_wheel(pip.index, "flask", "2.0")
    two = project("orders")
    write_wheel(pip.index, "flask", scripts={"flask": "flask.cli:main"})
    made = make_all([one, two], cache)
    versions = [
        next(w["version"] for w in description(item)["wheels"] if w["name"] == "flask") for item in made
    ]
    assert versions == ["1.0", "2.0"]
    assert len([call for call in pip.calls if call[0] == "download"]) == 2


def test_download_demands_hashes_and_no_resolving(pip, cache, project, flask):
    make_all([project("users")], cache)
    (call,) = [call for call in pip.calls if call[0] == "download"]
    assert call[2] == ("--no-deps", "--require-hashes") and "--hash=sha256:" in call[1]


def test_incomplete_lock_is_refused_with_what_is_missing(pip, cache, project, flask, write_wheel):
    write_wheel(pip.index, "flask", requires=["werkzeug>=3", 'colorama; sys_platform == "win32"'])
    with pytest.raises(ReleaseError, match=r"users: the lock lacks werkzeug>=3 \(needed by flask\)"):
        make_all([project("users")], cache)


def test_lock_with_a_wrong_version_is_refused(pip, cache, project, flask):
    with pytest.raises(ReleaseError, match=r"flask>=2 \(needed by users; locked: 1.0\)"):
        make_all([project("users", needs=("flask>=2",))], cache)


def test_extras_are_followed(pip, cache, project, write_wheel):
    write_wheel(pip.index, "pyjwt", requires=['cryptography; extra == "crypto"'])
    with pytest.raises(ReleaseError, match="cryptography"):
        make_all([project("users", needs=("pyjwt[crypto]",), lock=("pyjwt",))], cache)
    make_all([project("orders", needs=("pyjwt",), lock=("pyjwt",))], cache)


def test_wheel_for_another_python_is_refused(pip, cache, project, write_wheel):
    write_wheel(pip.index, "flask", python="<3.13")
    with pytest.raises(ReleaseError, match=r"Python 3.13 \(it needs <3.13\)"):
        make_all([project("users")], cache)


def test_own_compiled_parts_are_refused(pip, cache, project, flask):
    app = project("users")
    pip.built["users"]["tag"] = "cp311-cp311-linux_x86_64"
    with pytest.raises(ReleaseError, match="has compiled parts"):
        make_all([app], cache)


def test_every_problem_is_told_at_once(pip, cache, project, flask, tmp_path):
    no_lock = project("users")
    Path(no_lock.source, "requirements.lock").unlink()
    with pytest.raises(ReleaseError) as error:
        make_all([no_lock, App("b", "folder", str(tmp_path / "no")), App("c", "wheel", "/no.whl")], cache)
    text = str(error.value)
    assert "users: " in text and "--generate-hashes" in text
    assert "b: folder" in text and "c: wheel /no.whl does not exist" in text


def test_wheel_with_its_lock(pip, cache, flask, tmp_path, write_wheel):
    path = write_wheel(tmp_path, "own", requires=["flask"])
    digest = hashlib.sha256(flask.read_bytes()).hexdigest()
    Path(f"{path}.lock").write_text(f"flask==1.0 --hash=sha256:{digest}\n")
    (release,) = make_all([App("own", "wheel", str(path))], cache)
    assert [wheel["name"] for wheel in description(release)["wheels"]] == ["flask", "own"]
    assert path.exists()


def test_wheel_that_does_not_fit_is_refused(pip, cache, tmp_path, write_wheel):
    path = write_wheel(tmp_path, "own", tag="cp312-cp312-manylinux_2_28_x86_64")
    Path(f"{path}.lock").write_text("")
    with pytest.raises(ReleaseError, match=r"does not fit Python 3\.13"):
        make_all([App("own", "wheel", str(path))], cache)


def test_requirement_gets_what_only_the_hosts_python_needs(pip, cache, flask, write_wheel):
    write_wheel(pip.index, "tool", requires=['flask; python_version >= "3.13"'])
    (release,) = make_all([App("tool", "requirement", "tool==1.0")], cache)
    assert [wheel["name"] for wheel in description(release)["wheels"]] == ["flask", "tool"]
    assert [call[1] for call in pip.calls] == ["tool==1.0", "tool==1.0\nflask"]


def test_lost_wheel_is_fetched_again(pip, cache, project, flask):
    app = project("users")
    make_all([app], cache)
    shutil.rmtree(cache.folder / "wheels")
    assert make_all([app], cache)[0].built
    assert description(make_all([app], cache)[0])


def test_cache_is_the_users(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert default_folder() == Path("/somewhere/tandem/releases")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/u")
    assert default_folder() == Path("/home/u/.cache/tandem/releases")
