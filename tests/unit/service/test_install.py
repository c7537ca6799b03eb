"""Releases on a host: installing, sharing, what to remove."""

import os
import subprocess
import sys

import pytest
from ansible_collections.tandem.platform.plugins.module_utils import service_releases
from ansible_collections.tandem.platform.plugins.module_utils.service_releases import (
    InstallError,
    Release,
    install,
    installed,
    leftovers,
    missing_releases,
    missing_wheels,
    require_python,
    superfluous,
)
from ansible_collections.tandem.platform.plugins.plugin_utils.releases_cache import Cache, bundle


@pytest.fixture
def world(tmp_path, wheel):
    """A controller's cache and a host's root; `release(service, id, *wheel paths)` describes, `put` installs."""

    class World:
        root = tmp_path / "opt"
        cache = Cache(tmp_path / "cache")

        def release(self, service, number, *paths, scripts=None):
            wheels = []
            for path in paths:
                copy = tmp_path / path.name
                copy.write_bytes(path.read_bytes())
                wheels.append(self.cache.add_wheel(copy).as_dict())
            text = {"service": service, "id": number, "python": "3.13", "machine": "x86_64"}
            return Release.read({**text, "wheels": wheels, "scripts": scripts or {}})

        def put(self, *releases):
            file = tmp_path / "wheels.tar"
            bundle(self.cache, [f"{w.sha256}/{w.file}" for w in missing_wheels(releases, self.root)], file)
            install(releases, file, self.root)

    return World()


def test_release_is_complete_and_runs(world, wheel):
    code = {"users/cli.py": "def main():\n    print('it runs')\n"}
    release = world.release("users", "abc", wheel("users", files=code), scripts={"users": "users.cli:main"})
    assert missing_releases([release], world.root) == [release]
    world.put(release)
    assert missing_releases([release], world.root) == []
    folder = release.path(world.root)
    assert list((folder / "site/users/__pycache__").glob("cli.*.pyc"))
    program = folder / "bin/users"
    assert program.read_text().startswith("#!/usr/bin/python3 -Ps\n")
    assert os.access(program, os.X_OK)
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True)
    assert done.stdout == "it runs\n"


def test_releases_share_files_and_outlive_the_unpacked_wheel(world, wheel):
    common = wheel("common")
    one, two = world.release("a", "1", common, wheel("a")), world.release("b", "2", common, wheel("b"))
    world.put(one, two)
    files = [release.path(world.root) / "site/common/__init__.py" for release in (one, two)]
    assert files[0].samefile(files[1])
    assert leftovers(world.root) == []
    assert missing_wheels([one, two], world.root) == []


def test_wheel_that_no_release_uses_is_left_over(world, wheel):
    one, two = world.release("a", "1", wheel("x")), world.release("a", "2", wheel("y"))
    world.put(one, two)
    for path in superfluous("a", {"2"}, 0, world.root):
        service_releases.shutil.rmtree(path)
    assert [path.name.split("-")[0] for path in leftovers(world.root)] == ["x"]


def test_interrupted_install_is_found_and_made_again(world, wheel):
    release = world.release("a", "1", wheel("x"))
    half = world.root / "services/a/releases/.new-1/site"
    half.mkdir(parents=True)
    (half / "junk").write_text("junk")
    assert installed("a", world.root) == []
    assert leftovers(world.root) == [half.parent]
    world.put(release)
    assert installed("a", world.root) == ["1"]
    assert not (release.path(world.root) / "site/junk").exists()


def test_newest_unused_releases_are_kept(world, wheel):
    path = wheel("x")
    for number in range(6):
        world.put(world.release("a", str(number), path))
        os.utime(world.root / f"services/a/releases/{number}/RELEASE", (number, number))
    assert installed("a", world.root) == ["5", "4", "3", "2", "1", "0"]
    names = [path.name for path in superfluous("a", {"5", "0"}, 3, world.root)]
    assert names == ["1"]


def test_scripts_and_platform_parts_of_a_wheel(world, wheel):
    files = {
        "x-1.0.data/scripts/tool": "#!python\nprint('tool')\n",
        "x-1.0.data/scripts/plain": "#!/bin/sh\necho plain\n",
        "x-1.0.data/platlib/y.py": "",
        "x-1.0.data/headers/z.h": "",
    }
    release = world.release("a", "1", wheel("x", files=files))
    world.put(release)
    folder = release.path(world.root)
    assert (folder / "bin/tool").read_text() == "#!/usr/bin/python3 -Ps\nprint('tool')\n"
    assert (folder / "bin/plain").read_text().startswith("#!/bin/sh")
    assert (folder / "site/y.py").exists()
    assert not list(folder.rglob("z.h")) and not (folder / "site/.scripts").exists()


def test_member_outside_its_folder_is_refused(world, wheel):
    with pytest.raises(InstallError, match="outside its folder"):
        world.put(world.release("a", "1", wheel("x", files={"../evil.py": ""})))


def test_python_must_be_the_one_the_release_is_for(world, wheel, monkeypatch):
    release = world.release("a", "1", wheel("x"))
    monkeypatch.setattr(service_releases.sys, "version_info", type("V", (), {"major": 3, "minor": 12}))
    with pytest.raises(InstallError, match=r"made for Python 3\.13 on x86_64"):
        require_python([release])
