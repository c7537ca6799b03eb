"""Wheels and hosts of the tests' own making."""

import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
# The collection's own import path, as Ansible sees it.
sys.path.insert(0, str(ROOT / "collections"))
sys.path.insert(0, str(ROOT / "roles/service/files"))


def make_wheel(
    folder, name, version="1.0", *, requires=(), scripts=None, files=None, tag="py3-none-any", python=""
):
    """Write a small valid wheel and return its path."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {need}" for need in requires]
    lines += [f"Requires-Python: {python}"] if python else []
    path = Path(folder) / f"{module}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in {f"{module}/__init__.py": f"NAME = {name!r}\n", **(files or {})}.items():
            archive.writestr(file, text)
        archive.writestr(f"{info}/METADATA", "\n".join(lines) + "\n")
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        if scripts:
            points = "".join(f"{script} = {point}\n" for script, point in scripts.items())
            archive.writestr(f"{info}/entry_points.txt", f"[console_scripts]\n{points}")
    return path


@pytest.fixture
def wheel(tmp_path):
    """Make wheels in a folder of the test."""
    folder = tmp_path / "made"
    folder.mkdir()
    return lambda name, *args, **more: make_wheel(folder, name, *args, **more)


@pytest.fixture
def write_wheel():
    """The function that writes a wheel into a folder."""
    return make_wheel
