"""The server of the packages that `make packages` has built."""

import json
import socket
import sys
import urllib.error
import urllib.request

import pytest
import yaml

from lab import repository, seed, services, shell
from lab.paths import NAME, PROJECT
from packages import places


@pytest.fixture
def served(monkeypatch, tmp_path):
    """A server on loopback; it is stopped by its process id."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a folder"))
    monkeypatch.setattr(repository, "MACHINE", "127.0.0.1")
    monkeypatch.setattr(repository, "PORT", port)
    monkeypatch.setattr(repository, "FOLDER", tmp_path / "run")
    repository.ensure()
    yield f"http://127.0.0.1:{port}/"
    (process,) = [number for number, words in services.command_lines() if repository.is_server(words)]
    shell.run("kill", process)


def test_packages_are_there_once_they_are_built(served):
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(served + "InRelease")
    target = places.cache() / "repositories" / "one"
    target.mkdir(parents=True)
    (target / "InRelease").write_text("signed")
    places.repository().symlink_to(target)
    assert urllib.request.urlopen(served + "InRelease").read() == b"signed"


def test_a_server_that_answers_is_left_alone(served):
    before = [number for number, words in services.command_lines() if repository.is_server(words)]
    repository.ensure()
    after = [number for number, words in services.command_lines() if repository.is_server(words)]
    assert before == after


def test_only_the_server_of_this_lab_is_known():
    command = [sys.executable, *repository.arguments()]
    assert repository.is_server(command)
    assert not repository.is_server([part.replace(repository.MACHINE, "10.60.1.1") for part in command])
    assert f"/run/{NAME}/" in " ".join(command), "what is left of a lab is found by this"
    assert not repository.is_server([part.replace(f"/run/{NAME}/", "/run/another/") for part in command])
    assert not repository.is_server([sys.executable, "-m", "http.server"])
    assert not repository.is_server([])


def test_hosts_ask_it_past_the_package_cache(tmp_path):
    script = tmp_path / "proxy"
    script.write_text(seed.APT_PROXY)
    asked = shell.run("bash", script, repository.ADDRESS + "InRelease")
    assert asked.stdout == "DIRECT\n"
    assert repository.ADDRESS in seed.APT_PROXY


@pytest.mark.parametrize("name", ["inventories/lab", "molecule/inventory"])
def test_inventories_name_its_address(name):
    text = (PROJECT / name / "group_vars" / "all" / "packages.yml").read_text()
    assert "http://10.60.255.1:3143/" in json.dumps(yaml.safe_load(text))
    assert repository.PORT == 3143
