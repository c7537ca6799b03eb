"""The repository, read by apt itself."""

import stat
import subprocess

import pytest

from packages import deb, places, repository, signing


@pytest.fixture
def built(recipe, program, cache):
    return deb.make(recipe, program, "amd64", places.built("small", "key1"))


def apt(cache, link, key):
    """Let apt read the repository with a state of its own; its return code and output."""
    state = cache / "apt"
    for folder in ("lists/partial", "cache/archives/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    source = f"Types: deb\nURIs: file:{link}\nSuites: ./\nSigned-By: {key}\n"
    (state / "small.sources").write_text(source)
    (state / "status").touch()
    settings = {
        "Dir::State": state,
        "Dir::State::status": state / "status",
        "Dir::Cache": state / "cache",
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": state,
        "APT::Sandbox::User": "",
        "APT::Architecture": "amd64",
        "APT::Update::Error-Mode": "any",
    }
    options = [f"-o{key}={value}" for key, value in settings.items()]
    done = subprocess.run(["apt-get", *options, "update"], capture_output=True, text=True, check=False)
    shown = subprocess.run(
        ["apt-cache", *options, "policy", "small"], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr + shown.stdout


def test_apt_takes_it_by_its_own_key(built, cache):
    link = repository.publish([built])
    code, output = apt(cache, link, link / repository.KEY)
    assert code == 0, output
    assert "Candidate: 3.6.15" in output


def test_apt_refuses_a_changed_one(built, cache):
    link = repository.publish([built])
    index = link / "Packages"
    index.write_text(index.read_text().replace("3.6.15", "3.6.16"))
    (link / "Packages.gz").unlink()
    code, output = apt(cache, link, link / repository.KEY)
    assert code != 0, output


def test_apt_refuses_another_key(built, cache, monkeypatch, tmp_path):
    link = repository.publish([built])
    other = cache / "other.asc"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache / "x"))
    signing.ensure()
    other.write_text(signing.public())
    signing.rest()
    code, output = apt(cache, link, other)
    assert code != 0, output


def test_the_key_is_made_once_and_nobody_else_reads_it(built, cache):
    repository.publish([built])
    first = signing.public()
    signing.ensure()
    assert signing.public() == first
    signing.rest()
    assert stat.S_IMODE(places.signing().stat().st_mode) == 0o700
    served = {path.name for path in places.repository().iterdir()}
    assert served == {*repository.INDEXES, built.name}
    assert "PRIVATE" not in (places.repository() / repository.KEY).read_text()


def test_what_is_there_is_not_made_again(built, cache):
    link = repository.publish([built])
    before = (link / "InRelease").stat().st_ino, link.readlink()
    repository.publish([built])
    assert ((link / "InRelease").stat().st_ino, link.readlink()) == before


def test_a_new_package_replaces_the_repository_in_one_step(built, recipe, program, cache):
    link = repository.publish([built])
    old = link.readlink()
    again = deb.make(recipe, program, "amd64", places.built("small", "key2"))
    assert repository.publish([again]).readlink() != old
    assert old.is_dir()  # a host may be reading it
