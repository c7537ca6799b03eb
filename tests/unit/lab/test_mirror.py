"""The machine's own Debian mirrors, from all forms of sources."""

import pytest

from lab import LabError, mirror

DEB822 = """# a comment
Types: deb
URIs: http://mirror.example/debian/
Suites: bookworm
 bookworm-updates
Components: main contrib

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Enabled: yes
"""
ONE_LINE = """
# deb http://commented.example/debian bookworm main
deb-src http://source.example/debian bookworm main
deb cdrom:[Debian]/ bookworm main
deb [arch=amd64 signed-by=/x] https://mirror.example/debian bookworm main contrib # note
deb http://security.example/debian-security bookworm-security main
"""


@pytest.fixture
def find(tmp_path, monkeypatch):
    """Find the mirrors of a machine with these files."""
    monkeypatch.delenv("TANDEM_LAB_MIRROR", raising=False)
    monkeypatch.delenv("TANDEM_LAB_SECURITY_MIRROR", raising=False)
    (tmp_path / "os-release").write_text('NAME="Debian"\nVERSION_CODENAME=bookworm\n')

    def run(**files):
        for name, text in files.items():
            path = tmp_path / "sources.list.d" / name.replace("_", ".")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return mirror.find(tmp_path, tmp_path / "os-release")

    return run


def test_deb822(find):
    assert find(debian_sources=DEB822) == mirror.Mirrors(
        "http://mirror.example/debian", "http://mirror.example/debian-security"
    )


def test_one_line(find):
    assert find(debian_list=ONE_LINE) == mirror.Mirrors(
        "https://mirror.example/debian", "http://security.example/debian-security"
    )


def test_foreign_repositories_are_not_taken(find):
    foreign = "deb https://packages.example/apt cloud-sdk-bookworm main\n"
    assert find(a_list=foreign, debian_list=ONE_LINE).main == "https://mirror.example/debian"


def test_disabled_entries_are_not_taken(find):
    with pytest.raises(LabError, match="security mirror was not found"):
        find(debian_sources=DEB822.replace("Enabled: yes", "Enabled: no"))


def test_environment_overrides(find, monkeypatch):
    monkeypatch.setenv("TANDEM_LAB_MIRROR", "http://a/debian/")
    monkeypatch.setenv("TANDEM_LAB_SECURITY_MIRROR", "http://a/security/")
    assert find() == mirror.Mirrors("http://a/debian", "http://a/security")


def test_nothing_found(find):
    with pytest.raises(LabError, match="the Debian mirror was not found"):
        find()


def test_sources_of_a_suite():
    lines = mirror.Mirrors("http://a/debian", "http://a/security").sources("trixie")
    assert lines == [
        "deb http://a/debian trixie main",
        "deb http://a/debian trixie-updates main",
        "deb http://a/security trixie-security main",
    ]
