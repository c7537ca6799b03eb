"""What the exporter sees of its host."""

import datetime
import json
import socket
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from platform_exporter import host

END = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


@pytest.fixture
def places(tmp_path):
    made = host.Places(
        *(tmp_path / name for name in ("tls", "services", "units", "timers", "programs", "proc"))
    )
    for folder in (made.tls, made.services, made.units, made.timers, made.programs, made.proc):
        folder.mkdir()
    return made


def certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "h")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(END - datetime.timedelta(days=9)).not_valid_after(END)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_certificates(places, values):
    for path in (places.tls / "haproxy" / "certificate.pem", places.tls / "ca.pem"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(certificate())
    # A bundle has a key, and its file is not for the exporter.
    (places.tls / "haproxy" / "bundle.pem").write_text("secret")
    name = "tandem_certificate_not_after_seconds"
    assert values(host.certificates(places)) == {
        (name, "haproxy"): END.timestamp(),
        (name, "ca"): END.timestamp(),
    }


def test_a_certificate_that_is_none_is_an_error(places):
    (places.tls / "x").mkdir()
    (places.tls / "x" / "certificate.pem").write_text("nothing")
    with pytest.raises(ValueError, match="PEM"):
        list(host.certificates(places))


def manifest(places, service, **values):
    folder = places.services / service
    folder.mkdir()
    found = {
        "instances": 1,
        "release": "aaa",
        "manager": "systemd",
        "timer": False,
        "autoscale": None,
    } | values
    (folder / "manifest.json").write_text(json.dumps(found))


def process(places, pid, command):
    (places.proc / str(pid)).mkdir()
    (places.proc / str(pid) / "cmdline").write_bytes(command.replace(" ", "\0").encode())


@pytest.fixture
def systemd(monkeypatch):
    """Units by name: (active state, main process)."""
    units = {}

    def answer(arguments):
        names = arguments[arguments.index("--") + 1 :]
        blocks = []
        for name in names:
            active, pid = units.get(name, ("inactive", 0))
            blocks.append(f"Id={name}\nActiveState={active}\nMainPID={pid}")
        return "\n\n".join(blocks) + "\n"

    monkeypatch.setattr(host, "systemctl", answer)
    return units


RELEASE = "/usr/bin/python3 -Ps /opt/tandem/services/{}/releases/{}/bin/run --all"


def test_instances_and_releases(places, systemd, values):
    manifest(places, "users", instances=3)
    manifest(places, "tick", timer=True, instances=0)
    systemd["users@1.service"] = ("active", 11)
    systemd["users@2.service"] = ("active", 12)
    systemd["users@3.service"] = ("failed", 0)
    process(places, 11, RELEASE.format("users", "aaa"))
    process(places, 12, RELEASE.format("users", "bbb"))
    found = values(host.services(places, 0))
    assert found == {
        ("tandem_service_instances", "users", "wanted"): 3,
        ("tandem_service_instances", "users", "running"): 2,
        ("tandem_service_instances", "users", "drained"): 0,
        ("tandem_release_info", "users", "aaa"): 1,
        ("tandem_release_info", "users", "bbb"): 1,
        ("tandem_release_info", "tick", "aaa"): 1,
    }


def test_what_runs_on_demand_is_not_wanted(places, systemd, values):
    manifest(places, "busy", instances=3, autoscale={"min": 1, "max": 3})
    assert values(host.services(places, 0))["tandem_service_instances", "busy", "wanted"] == 1


def test_a_host_without_services(places, systemd, values):
    assert values(host.services(places, 0)) == {}


def supervised(places, systemd, states):
    manifest(places, "watched", instances=2, manager="supervisord")
    (places.units / "watched@supervisord-abc.service").write_text("")
    systemd["watched@supervisord-abc.service"] = ("active", 20)
    (places.programs / "watched").mkdir()
    (places.programs / "watched" / "programs-abc.json").write_text(json.dumps(states))


def test_programs_under_supervisord(places, systemd, values):
    states = {"watched@1": {"state": "RUNNING", "pid": 21}, "watched@2": {"state": "FATAL", "pid": 0}}
    supervised(places, systemd, states)
    process(places, 21, RELEASE.format("watched", "ccc"))
    found = values(host.services(places, 0))
    assert found["tandem_supervisord_program_state", "watched", "watched@1", "RUNNING"] == 1
    assert found["tandem_supervisord_program_state", "watched", "watched@2", "FATAL"] == 1
    assert found["tandem_service_instances", "watched", "wanted"] == 2
    assert found["tandem_service_instances", "watched", "running"] == 1
    assert found["tandem_release_info", "watched", "ccc"] == 1


def test_a_supervisord_without_its_states_is_an_error(places, systemd):
    supervised(places, systemd, {})
    (places.programs / "watched" / "programs-abc.json").unlink()
    with pytest.raises(FileNotFoundError):
        host.services(places, 0)


CSV = """# pxname,svname,scur,status,
svc_users,i1,0,UP,
svc_users,i2,0,DRAIN,
svc_users,BACKEND,0,UP,
svc_busy,i2,0,MAINT,
route_users,msk-app1,0,DRAIN,
"""


def test_drained_instances():
    assert host.drained(CSV) == {"users": 1}


def test_without_haproxy_only_the_drained_are_not_known(places, systemd, values, unused_tcp_port):
    manifest(places, "users")
    found = values(host.services(places, unused_tcp_port))
    assert ("tandem_service_instances", "users", "running") in found
    assert ("tandem_service_instances", "users", "drained") not in found


@pytest.fixture
def unused_tcp_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        # Bound, and nobody listens: connections are refused.
        yield held.getsockname()[1]


def test_haproxys_statistics_are_asked(places, systemd, values):
    class Statistics(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/;csv;norefresh" else 404)
            self.end_headers()
            self.wfile.write(CSV.encode())

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Statistics)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    manifest(places, "users", instances=2)
    found = values(host.services(places, server.server_port))
    server.shutdown()
    server.server_close()
    assert found["tandem_service_instances", "users", "drained"] == 1


def test_timers(places, values):
    for name, result in {
        "tick": {"finished": 1000.5, "exit_code": 3, "seconds": 0.25},
        "late": {"finished": None, "exit_code": None, "seconds": None},
    }.items():
        (places.timers / name).mkdir()
        (places.timers / name / "last.json").write_text(json.dumps(result))
    assert values(host.timers(places)) == {
        ("tandem_timer_last_run_timestamp_seconds", "tick"): 1000.5,
        ("tandem_timer_last_exit_code", "tick"): 3,
        ("tandem_timer_last_duration_seconds", "tick"): 0.25,
    }


def test_systemctl_that_fails_is_an_error(monkeypatch, tmp_path):
    (tmp_path / "systemctl").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(subprocess.CalledProcessError):
        host.shown(["x.service"])
