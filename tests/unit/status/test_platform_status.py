"""How one host is looked at."""

import subprocess

import pytest
from ansible_collections.tandem.platform.plugins.module_utils import platform_status, platform_units

NONE = {"monitor_port": 0, "databases": {}, "broker_node": "", "alertmanager": ""}


def fails():
    raise RuntimeError("no\nbus")


def test_a_part_that_fails_leaves_the_others():
    found = platform_status.look({"units": lambda: [], "services": fails})
    assert found == {"units": [], "errors": {"services": "no bus"}}


@pytest.mark.parametrize(
    ("more", "part"),
    [
        ({}, None),
        ({"monitor_port": 5431}, "monitor"),
        ({"databases": {"orders": "orders"}}, "outboxes"),
        ({"broker_node": "rabbit@a"}, "broker"),
        ({"alertmanager": "https://a:9093"}, "alerts"),
    ],
)
def test_only_what_is_there_is_looked_at(more, part):
    always = {"services", "certificates", "failed_units"}
    assert set(platform_status.parts(NONE | more)) == always | ({part} if part else set())


def test_certificates(tmp_path):
    folder = tmp_path / "haproxy"
    folder.mkdir()
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += [
        "-keyout",
        "/dev/null",
        "-out",
        str(folder / "certificate.pem"),
        "-subj",
        "/CN=a",
        "-days",
        "9",
    ]
    subprocess.run(command, check=True, capture_output=True)
    (end,) = platform_status.certificates(tmp_path).values()
    assert len(end) == len("2026-01-02 03:04:05Z")
    assert end.endswith("Z")


def test_what_is_no_certificate_is_an_error(tmp_path):
    (tmp_path / "haproxy").mkdir()
    (tmp_path / "haproxy" / "certificate.pem").write_text("nothing")
    with pytest.raises(ValueError, match="no certificate"):
        platform_status.certificates(tmp_path)


def test_failed_units(tmp_path, monkeypatch):
    (tmp_path / "systemctl").write_text(
        "#!/bin/sh\necho 'b.service loaded failed failed B'\necho 'a.timer x y'\n"
    )
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert platform_units.failed_units() == ["a.timer", "b.service"]
    (tmp_path / "systemctl").write_text("#!/bin/sh\necho 'no bus' >&2\nexit 1\n")
    with pytest.raises(OSError, match="no bus"):
        platform_units.failed_units()


def test_alerts_are_told_in_short():
    answer = [
        {"labels": {"alertname": "A", "severity": "page"}, "annotations": {"summary": "s", "x": "y"}},
        {"labels": {}},
    ]
    assert platform_status.fired(answer) == [
        {"name": "A", "severity": "page", "summary": "s"},
        {"name": "?", "severity": "none", "summary": ""},
    ]


def test_an_alertmanager_without_tls_is_refused():
    with pytest.raises(ValueError, match="not https"):
        platform_status.alerts("http://a")


def test_a_host_without_an_alertmanager_says_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(platform_status, "TLS", tmp_path)
    assert platform_status.alerts("https://a:9093") is None
