"""Collectors that fail or hang, the configuration, facts, and who may read the page."""

import json
import ssl
import struct
import subprocess
import threading
import urllib.error
import urllib.request

import pytest
from platform_exporter import __main__ as program
from platform_exporter import config, facts
from platform_exporter.collecting import GRACE_SECONDS, Collector, Page
from platform_exporter.collectors import NEEDS, SECONDS, collectors
from platform_exporter.serving import Server, context
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily


def gauge(value=1.0):
    family = GaugeMetricFamily("works", "Works")
    family.add_metric([], value)
    return [family]


def fails():
    yield from gauge()
    raise RuntimeError("no\nanswer")


# collectors


def test_a_collector_that_fails_leaves_the_others(values, capsys):
    page = Page([good := Collector("good", 15, gauge), bad := Collector("bad", 15, fails)])
    for collector in (good, bad, bad):
        collector.run()
    found = values(page.collect())
    assert found["works",] == 1
    assert found["tandem_collector_success", "good"] == 1
    assert found["tandem_collector_success", "bad"] == 0
    assert found["tandem_collector_duration_seconds", "bad"] >= 0
    said = capsys.readouterr().err
    assert said.count("no answer") == 1, "once, not at every run"


def test_what_a_failing_collector_found_before_is_not_shown(values):
    answers = [gauge(5), RuntimeError()]

    def collect():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    collector = Collector("c", 15, collect)
    collector.run()
    assert values(Page([collector]).collect())["works",] == 5
    collector.run()
    assert ("works",) not in values(Page([collector]).collect())


def test_a_collector_that_hangs_has_failed():
    times = iter([0.0, 1.0])
    collector = Collector("c", 10, gauge)
    assert collector.found(0) is None
    collector.run(lambda: next(times))
    assert collector.found(31 + GRACE_SECONDS).success is True
    late = collector.found(32 + GRACE_SECONDS)
    assert (late.success, list(late.families)) == (False, [])


def test_it_works_at_its_pace_until_it_is_stopped():
    stop, runs = threading.Event(), []

    def collect():
        runs.append(1)
        if len(runs) == 3:
            stop.set()
        return gauge()

    Collector("c", 0.01, collect).follow(stop)
    assert len(runs) == 3


def test_every_collector_has_its_pace_and_needs():
    assert set(SECONDS) == set(NEEDS)
    assert min(SECONDS.values()) >= 15
    settings = {"dsns": {}, "dsn": "", "file": "/x", "door": 0}
    made = collectors({name: {key: settings[key] for key in keys} for name, keys in NEEDS.items()})
    assert [collector.name for collector in made] == list(NEEDS)


# configuration


def good():
    paths = {"certificate": "/c", "key": "/k", "authority": "/a"}
    return {"address": "10.0.0.1", "port": 9170, **paths, "scrapers": ["obs1"], "collectors": {"timers": {}}}


@pytest.fixture
def file(tmp_path):
    def write(values):
        path = tmp_path / "c.json"
        path.write_text(values if isinstance(values, str) else json.dumps(values))
        return path

    return write


def test_a_good_configuration(file):
    found = config.read(file(good()), NEEDS)
    assert (found.port, found.scrapers) == (9170, ("obs1",))
    assert program.main(["--check", str(file(good()))]) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"port": "9170"}, "port is not of type int"),
        ({"prot": 1}, "prot is not known"),
        ({"collectors": {"timer": {}}}, "collectors.timer is not known"),
        ({"collectors": {"monitor": {}}}, r"collectors.monitor needs exactly these keys: \['dsn'\]"),
        ({"collectors": {"timers": {"dsn": ""}}}, "collectors.timers needs exactly"),
    ],
)
def test_a_bad_configuration_is_refused(file, change, message):
    with pytest.raises(config.InvalidConfiguration, match=message):
        config.read(file(good() | change), NEEDS)
    assert program.main(["--check", str(file(good() | change))]) == 2


@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_what_is_no_configuration_is_refused(file, text):
    with pytest.raises(config.InvalidConfiguration):
        config.read(file(text), NEEDS)


# facts


@pytest.mark.parametrize(("contact", "primed"), [(0, 0), (1_700_000_000, 1)])
def test_self_fence(tmp_path, contact, primed):
    state = bytearray(1024)
    struct.pack_into("<i", state, 0, 1)
    struct.pack_into("<Q", state, 64, contact)
    (tmp_path / "state").write_bytes(state)
    value = tmp_path / "value"
    assert facts.main(["self_fence", str(value), str(tmp_path / "state")]) == 0
    assert facts.read(value) == primed


@pytest.mark.parametrize("content", [b"", bytes(1024), bytes(2048)])
def test_a_state_of_another_layout_is_refused(tmp_path, content, capsys):
    (tmp_path / "state").write_bytes(content)
    assert facts.main(["self_fence", str(tmp_path / "value"), str(tmp_path / "state")]) == 1
    assert "layout" in capsys.readouterr().err
    assert not (tmp_path / "value").exists()


@pytest.mark.parametrize(("said", "result"), [("0", 0), ("12", 12), ("{badrpc,nodedown}", None)])
def test_quorum_critical(tmp_path, said, result):
    command = tmp_path / "rabbitmqctl"
    command.write_text(f"#!/bin/sh\necho '{said}'\n")
    command.chmod(0o755)
    if result is None:
        with pytest.raises(facts.FactError, match="badrpc"):
            facts.quorum_critical(command)
    else:
        assert facts.quorum_critical(command) == result


def test_an_old_fact_is_none(tmp_path):
    path = tmp_path / "value"
    facts.write(path, 1)
    changed = path.stat().st_mtime
    assert facts.read(path, lambda: changed + 299) == 1
    with pytest.raises(facts.FactError, match="old"):
        facts.read(path, lambda: changed + 301)


# who may read


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """An authority, and certificates of it and of another one."""
    folder = tmp_path_factory.mktemp("keys")

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    for authority in ("ca", "other"):
        openssl(
            "req", "-x509", *new, "-keyout", f"{authority}.key", "-out", f"{authority}.pem", "-subj", "/CN=ca"
        )
    (folder / "ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
    for name, authority in {"server": "ca", "obs1": "ca", "app1": "ca", "fake": "other"}.items():
        common = "obs1" if name == "fake" else name
        openssl("req", *new, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={common}")
        signer = ("-CA", f"{authority}.pem", "-CAkey", f"{authority}.key", "-CAcreateserial")
        openssl("x509", "-req", "-in", f"{name}.csr", *signer, "-out", f"{name}.pem", "-extfile", "ext")
    return folder


@pytest.fixture
def ask(keys):
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Page([collector := Collector("good", 15, gauge)]))
    collector.run()
    tls = context(str(keys / "server.pem"), str(keys / "server.key"), str(keys / "ca.pem"))
    server = Server(("127.0.0.1", 0), tls, ["obs1"], registry)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def answer(caller, path="/metrics", method="GET", scheme="https"):
        client = ssl.create_default_context(cafile=str(keys / "ca.pem"))
        if caller:
            client.load_cert_chain(str(keys / f"{caller}.pem"), str(keys / f"{caller}.key"))
        request = urllib.request.Request(f"{scheme}://127.0.0.1:{server.server_port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, context=client, timeout=5) as found:
                return found.status, found.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    yield answer
    server.shutdown()
    server.server_close()


def test_a_scraper_reads_the_page(ask):
    status, page = ask("obs1")
    assert status == 200
    assert "works 1.0" in page
    assert 'tandem_collector_success{collector="good"} 1.0' in page


def test_others_read_nothing(ask):
    assert ask("app1")[0] == 403
    assert ask("obs1", "/")[0] == 404
    assert ask("obs1", method="POST")[0] == 501
    for caller in (None, "fake"):
        with pytest.raises((ssl.SSLError, urllib.error.URLError, ConnectionError)):
            ask(caller)
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        ask(None, scheme="http")
    assert ask("obs1")[0] == 200, "and it goes on"
