"""Files for browsers: made by npm before the wheel, kept as an archive of the release. npm is a stand-in."""

import hashlib
import tarfile

import pytest
from ansible_collections.tandem.platform.plugins.plugin_utils import releases
from ansible_collections.tandem.platform.plugins.plugin_utils.releases import App, ReleaseError, make_all
from ansible_collections.tandem.platform.plugins.plugin_utils.releases_assets import AssetsError, pack
from ansible_collections.tandem.platform.plugins.plugin_utils.releases_cache import Cache

NPM = """#!/bin/sh -e
echo "$PWD $*" >> {log}
[ "$1" = ci ] && mkdir -p node_modules/esbuild && exit 0
[ -d node_modules ] && mkdir -p dist/img && cp app.js dist/app.1f.js && echo 1 > dist/img/logo.2e.svg
echo '{{"app.js": "app.1f.js"}}' > dist/manifest.json
{then}
"""


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """Put an npm on PATH that does what a test says after it has built; return the file of its calls."""

    def make(then=""):
        place = tmp_path / "bin"
        place.mkdir(exist_ok=True)
        (place / "npm").write_text(NPM.format(log=tmp_path / "npm.log", then=then))
        (place / "npm").chmod(0o755)
        monkeypatch.setenv("PATH", f"{place}:/usr/bin:/bin")
        return tmp_path / "npm.log"

    return make


@pytest.fixture
def seen():
    """What was in the folder of assets, for every wheel that was built."""
    return []


@pytest.fixture
def app(tmp_path, monkeypatch, write_wheel, seen):
    """An app with assets; its wheel is a stand-in."""
    place = tmp_path / "shop"
    for file, text in {
        "pyproject.toml": '[project]\nname = "shop"\n[tool.tandem]\nassets = "assets"\n',
        "requirements.lock": "",
        "assets/package.json": "{}",
        "assets/package-lock.json": "{}",
        "assets/app.js": "run()\n",
    }.items():
        (place / file).parent.mkdir(parents=True, exist_ok=True)
        (place / file).write_text(text)

    def build(source, destination):
        seen.append(sorted(str(path.relative_to(source)) for path in (source / "assets").rglob("*")))
        write_wheel(destination, "shop")

    monkeypatch.setattr(releases.pip, "build", build)
    return App("shop", "folder", str(place))


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


def test_assets_are_made_before_the_wheel_and_kept_without_the_manifest(app, cache, npm, seen):
    log = npm()
    (release,) = make_all([app], cache)
    calls = [line.split(" ", 1)[1] for line in log.read_text().splitlines()]
    assert calls == ["ci --include=dev --no-audit --no-fund", "run build"]
    assert all(not line.startswith(app.source) for line in log.read_text().splitlines())
    assert "assets/dist/manifest.json" in seen[0]
    assert not any("node_modules" in name for name in seen[0])
    with tarfile.open(release.static) as archive:
        assert archive.getnames() == ["app.1f.js", "img/logo.2e.svg"]
        assert archive.extractfile("app.1f.js").read() == b"run()\n"


def test_a_release_that_is_there_asks_no_npm(app, cache, npm):
    log = npm()
    first = make_all([app], cache)[0]
    log.unlink()
    second = make_all([app], cache)[0]
    assert not log.exists()
    assert (second.built, second.id, second.static) == (False, first.id, first.static)


def test_lost_assets_are_made_again(app, cache, npm):
    npm()
    first = make_all([app], cache)[0]
    cache.static(first.static.rpartition("/")[2].removesuffix(".tar")).unlink()
    assert make_all([app], cache)[0].built
    with tarfile.open(first.static) as archive:
        assert "app.1f.js" in archive.getnames()


def test_the_id_follows_the_sources_of_assets(app, cache, npm, tmp_path):
    npm()
    first = make_all([app], cache)[0].id
    (tmp_path / "shop/assets/app.js").write_text("walk()\n")
    assert make_all([app], cache)[0].id != first


def test_other_apps_have_no_archive_and_need_no_npm(cache, tmp_path, monkeypatch, app):
    (tmp_path / "shop/pyproject.toml").write_text('[project]\nname = "shop"\n')
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert make_all([app], cache)[0].static == ""


def test_missing_npm_is_refused_with_the_cure(app, cache, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(ReleaseError, match=r"(?s)shop: there is no npm .* apt-get install .*nodejs npm"):
        make_all([app], cache)


def test_what_npm_says_is_told_and_nothing_is_kept(app, cache, npm):
    npm("echo 'app.js: unexpected token' >&2; exit 1")
    with pytest.raises(ReleaseError, match=r"(?s)npm run build failed:.*unexpected token"):
        make_all([app], cache)
    assert not (cache.folder / "static").exists()


@pytest.mark.parametrize(
    ("then", "message"),
    [
        ("rm -r dist", "has left no files in dist"),
        ("rm -r dist/app.1f.js dist/img", "has left no files in dist"),
        ("ln -s /etc/passwd dist/users.js", "has left users.js, which can't be served"),
        ("touch dist/.hidden", "has left .hidden"),
        ("touch 'dist/two words.js'", "has left two words.js"),
    ],
)
def test_a_build_whose_files_cannot_be_served_is_refused(app, cache, npm, then, message):
    npm(then)
    with pytest.raises(ReleaseError, match=message):
        make_all([app], cache)


def test_two_builds_of_the_same_files_are_the_same(tmp_path):
    digests = set()
    for name in ("one", "two"):
        (tmp_path / name / "dist").mkdir(parents=True)
        (tmp_path / name / "dist/a.js").write_text("a")
        pack(tmp_path / name / "dist", tmp_path / f"{name}.tar")
        digests.add(hashlib.sha256((tmp_path / f"{name}.tar").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_a_build_without_a_folder_is_refused(tmp_path):
    with pytest.raises(AssetsError):
        pack(tmp_path / "dist", tmp_path / "x.tar")
