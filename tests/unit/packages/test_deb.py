"""Packages as dpkg sees them."""

import subprocess

from packages import deb


def dpkg(*words):
    return subprocess.run(["dpkg-deb", *words], capture_output=True, text=True, check=True).stdout


def test_the_package(recipe, program, cache):
    made = deb.make(recipe, program, "amd64", cache / "made")
    assert made.name == "small_3.6.15_amd64.deb"
    assert dpkg("--field", made, "Package", "Version", "Architecture", "Depends").splitlines() == [
        "Package: small",
        "Version: 3.6.15",
        "Architecture: amd64",
        "Depends: libc6 (>= 2.34), systemd",
    ]
    listed = {line.split()[-1]: line.split()[:2] for line in dpkg("--contents", made).splitlines()}
    assert listed["./usr/bin/small"] == ["-rwxr-xr-x", "root/root"]
    assert {path for path in listed if not path.endswith("/")} == {
        "./usr/bin/small",
        "./usr/lib/sysusers.d/small.conf",
        "./usr/share/doc/small/copyright",
    }
    assert {mode for path, (mode, _) in listed.items() if path.endswith("/")} == {"drwxr-xr-x"}


def test_the_user_is_made_when_it_is_configured(recipe, program, cache):
    made = deb.make(recipe, program, "amd64", cache / "made")
    dpkg("--control", made, cache / "control")
    script = (cache / "control" / "postinst").read_text()
    assert "systemd-sysusers small.conf" in script
    subprocess.run(["sh", "-n", cache / "control" / "postinst"], check=True)


def test_nothing_is_left_beside_it(recipe, program, cache):
    deb.make(recipe, program, "amd64", cache / "made")
    assert [path.name for path in (cache / "made").iterdir()] == ["small_3.6.15_amd64.deb"]
    assert [path.name for path in program.parent.iterdir()] == ["small"]
