"""What the rabbitmq role promises, on three hosts of three sites."""

# testinfra ships no type information.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import json
import shlex
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import testinfra
import yaml

from tests.support import scenario
from tests.support.scenario import said

HERE = Path(__file__).resolve().parent
SCENARIO = HERE.parent
INVENTORY = SCENARIO.parent / "inventory"
VARIABLES = yaml.safe_load((SCENARIO / "group_vars" / "rabbitmq.yml").read_text())
ADDRESSES = {"m-mq-msk": "10.61.0.107", "m-mq-spb": "10.62.0.107", "m-mq-wit": "10.63.0.107"}
NODES = [f"rabbit@{name}.tandem.test" for name in ADDRESSES]
HOSTS = [f"{name}.tandem.test" for name in ADDRESSES]
UNIT = "tandem-rabbitmq"
QUEUE = "mail:order.created"
TLS = "/etc/tandem/tls"

On = Callable[[str], Any]


def play(playbook: str, *options: str, **variables: Any) -> str:
    """Run a playbook of the scenario; its output."""
    return scenario.play(SCENARIO / playbook, *options, **variables)


@pytest.fixture(scope="session")
def on(request: pytest.FixtureRequest) -> On:
    """A host by its name."""
    inventory = request.config.getoption("--ansible-inventory")
    hosts = {
        name: testinfra.get_host(f"ansible://{name}", ansible_inventory=inventory, sudo=True)
        for name in ADDRESSES
    }
    return hosts.__getitem__


def erlang(host: Any, expression: str) -> str:
    """What the host's node answers."""
    return said(host, f"rabbitmqctl --silent eval {shlex.quote(expression)}")


def client(host: Any, command: str, user: str, **options: Any) -> Any:
    """What the client says that a service's user can do, run on a host."""
    secret = INVENTORY / ".secrets" / "services" / user.split(".")[0] / "broker_password_1"
    given: Mapping[str, Any] = {"hosts": HOSTS, "user": user, "password": secret.read_text(), **options}
    script = shlex.quote((HERE / "client.py").read_text())
    return json.loads(said(host, f"python3 -c {script} {command} {shlex.quote(json.dumps(given))}"))


def may(on: On, user: str, **options: Any) -> str:
    return str(client(on("m-mq-msk"), "attempt", user, **options))


# --- the cluster -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ADDRESSES)
def test_every_node_is_a_member_with_khepri_and_the_profiles_timeout(on: On, name: str) -> None:
    expression = (
        "{lists:sort(rabbit_nodes:list_members()), lists:sort(rabbit_nodes:list_running()),"
        " rabbit_khepri:is_enabled(), net_kernel:get_net_ticktime()}."
    )
    answer = "".join(erlang(on(name), expression).split())
    nodes = ",".join(f"'{node}'" for node in NODES)
    assert answer == f"{{[{nodes}],[{nodes}],true,4}}"


@pytest.mark.parametrize("name", ADDRESSES)
def test_nothing_listens_but_on_the_hosts_address_or_for_itself(on: On, name: str) -> None:
    own = ADDRESSES[name]
    lines = said(on(name), "ss -Hlnt").splitlines()
    listens = {line.split()[3] for line in lines} - {"0.0.0.0:22", "[::]:22"}
    expected = {f"{own}:{port}" for port in (4369, 5671, 15692, 25672)} | {"127.0.0.1:4369", "[::1]:4369"}
    if name != "m-mq-wit":
        expected.add("127.0.0.1:15671")
    assert listens == expected


@pytest.mark.parametrize("name", ADDRESSES)
def test_debians_own_units_never_ran(on: On, name: str) -> None:
    for unit in ("rabbitmq-server.service", "epmd.service", "epmd.socket"):
        assert said(on(name), f"systemctl show -P LoadState {unit}") == "masked"
    assert said(on(name), "ls -A /var/lib/rabbitmq/mnesia").splitlines().count(f"rabbit@{name}") == 0
    assert on(name).service(UNIT).is_enabled
    assert on(name).service(UNIT).is_running


def test_the_port_mapper_is_the_units_own(on: On) -> None:
    for name in ADDRESSES:
        main = said(on(name), "systemctl show -P MainPID tandem-epmd.service")
        assert f"pid={main}," in said(on(name), "ss -Hltnp sport = :4369"), name


@pytest.mark.parametrize("name", ADDRESSES)
def test_secrets_are_for_the_broker_alone(on: On, name: str) -> None:
    cookie = on(name).file("/var/lib/rabbitmq/.erlang.cookie")
    assert (cookie.user, cookie.mode) == ("rabbitmq", 0o400)
    assert on(name).file("/etc/rabbitmq/definitions.json").mode == 0o640
    assert on(name).file(f"{TLS}/rabbitmq/key.pem").mode == 0o640
    value = (INVENTORY / ".secrets" / "rabbitmq" / "erlang_cookie").read_text()
    assert cookie.content_string == value
    assert value not in said(on(name), "ps -eo args")
    exposure = said(on(name), f"systemd-analyze security --no-pager {UNIT}.service").splitlines()[-1]
    assert float(exposure.split(":")[1].split()[0]) <= 2.0, exposure


def test_modules_leave_no_password_or_hash_in_the_journal(on: On) -> None:
    host = on("m-mq-msk")
    journal = said(
        host, "journalctl --quiet --identifier=ansible-tandem.platform.rabbitmq_objects --output=cat"
    )
    assert "'name': 'orders.1'" in journal
    users = json.loads(said(host, "rabbitmqctl --silent export_definitions -"))["users"]
    assert len(users) == 3
    secrets = [user["password_hash"] for user in users]
    secrets += [path.read_text() for path in (INVENTORY / ".secrets").glob("**/broker_password_1")]
    assert not [secret for secret in secrets if secret in journal]


def test_the_only_users_are_ours(on: On) -> None:
    users = json.loads(said(on("m-mq-msk"), "rabbitmqctl --silent list_users --formatter json"))
    assert {user["user"]: user["tags"] for user in users} == {
        "tandem": ["administrator"],
        "orders.1": [],
        "mail.1": [],
    }
    vhosts = json.loads(said(on("m-mq-msk"), "rabbitmqctl --silent list_vhosts --formatter json"))
    assert [vhost["name"] for vhost in vhosts] == ["tandem"]


def test_queues_have_a_member_on_every_node_and_their_policy(on: On) -> None:
    columns = "name type members effective_policy_definition"
    rows = json.loads(
        said(on("m-mq-spb"), f"rabbitmqctl --silent list_queues -p tandem {columns} --formatter json")
    )
    assert {row["name"] for row in rows} == {QUEUE, f"{QUEUE}:dead", "retry:1s"}
    for row in rows:
        assert row["type"] == "quorum"
        assert sorted(row["members"]) == sorted(NODES)
    (mail,) = (row for row in rows if row["name"] == QUEUE)
    assert dict(mail["effective_policy_definition"])["dead-letter-strategy"] == "at-least-once"


# --- who may do what -------------------------------------------------------------------------------------------------


def test_a_node_of_the_cluster_must_have_a_certificate(on: On) -> None:
    own = f"-cert {TLS}/rabbitmq/certificate.pem -key {TLS}/rabbitmq/key.pem"
    for words, expected in ((own, True), ("", False)):
        # TLS 1.3 tells a client that its certificate is missed only after the handshake.
        command = f"(sleep 1; echo) | timeout 5 openssl s_client -connect {HOSTS[1]}:25672 {words} -CAfile {TLS}/ca.pem"
        answer = on("m-mq-msk").run(f"{command} -tls1_3 2>&1").stdout
        assert ("certificate required" not in answer) is expected, answer


def test_metrics_are_for_who_has_a_certificate(on: On) -> None:
    read = (
        "import http.client, ssl, sys; context = ssl.create_default_context(cafile='{tls}/ca.pem'); {own};"
        "connection = http.client.HTTPSConnection('{host}', 15692, context=context, timeout=20);"
        "connection.request('GET', '/metrics'); print(connection.getresponse().read().decode()[:100000])"
    )
    own = f"context.load_cert_chain('{TLS}/rabbitmq/certificate.pem', '{TLS}/rabbitmq/key.pem')"
    told = said(on("m-mq-msk"), f"python3 -c {shlex.quote(read.format(tls=TLS, host=HOSTS[2], own=own))}")
    assert 'rabbitmq_node="rabbit@m-mq-wit.tandem.test"' in told
    refused = on("m-mq-msk").run(f"python3 -c {shlex.quote(read.format(tls=TLS, host=HOSTS[2], own='pass'))}")
    assert refused.rc != 0
    assert "certificate required" in refused.stderr.lower()


def test_a_service_may_only_do_what_its_permissions_say(on: On) -> None:
    assert may(on, "orders.1", do="publish", exchange="order.created") == "ok"
    assert "ACCESS_REFUSED" in may(on, "orders.1", do="publish", exchange="order.paid")
    assert "ACCESS_REFUSED" in may(on, "orders.1", do="publish", exchange="", key=QUEUE)
    assert "ACCESS_REFUSED" in may(on, "orders.1", do="get", queue=QUEUE)
    assert "ACCESS_REFUSED" in may(on, "orders.1", do="declare", queue="own")
    assert "ACCESS_REFUSED" in may(on, "mail.1", do="delete", queue=QUEUE)
    assert "ACCESS_REFUSED" in may(on, "mail.1", do="publish", exchange="order.created")
    assert client(on("m-mq-msk"), "drain", "mail.1", queue=QUEUE) == ["x"]


def test_a_wrong_password_guest_and_the_administrator_from_outside_are_refused(on: On) -> None:
    owner = (INVENTORY / ".secrets" / "rabbitmq" / "tandem").read_text()
    for user, password in (("orders.1", "wrong"), ("guest", "guest"), ("tandem", owner)):
        secret = {"user": user, "password": password, "hosts": [HOSTS[1]], "do": "nothing"}
        script = shlex.quote((HERE / "client.py").read_text())
        answer = said(on("m-mq-msk"), f"python3 -c {script} attempt {shlex.quote(json.dumps(secret))}")
        assert "ACCESS_REFUSED" in answer or "ProbableAuthenticationError" in answer, (user, answer)


def test_a_retry_comes_back_to_its_queue(on: On) -> None:
    assert may(on, "mail.1", do="publish", exchange="retry:1s", key=QUEUE) == "ok"
    end = time.monotonic() + 20
    taken: list[str] = []
    while not taken and time.monotonic() < end:
        taken = client(on("m-mq-msk"), "drain", "mail.1", queue=QUEUE)
    assert taken == ["x"]


# --- changes ---------------------------------------------------------------------------------------------------------


def less(**changes: Any) -> dict[str, Any]:
    """The scenario's objects without the queue and the user of `mail`."""
    return {
        "rabbitmq_queues": [queue for queue in VARIABLES["rabbitmq_queues"] if QUEUE not in queue["name"]],
        "rabbitmq_bindings": [
            entry for entry in VARIABLES["rabbitmq_bindings"] if QUEUE not in entry["queue"]
        ],
        "rabbitmq_users": [user for user in VARIABLES["rabbitmq_users"] if user["name"] != "mail.1"],
    } | changes


def queues(on: On) -> set[str]:
    return set(said(on("m-mq-wit"), "rabbitmqctl --silent list_queues -p tandem name").splitlines())


def test_a_queue_that_holds_messages_stays_and_the_run_says_so(on: On) -> None:
    assert may(on, "orders.1", do="publish", exchange="order.created") == "ok"
    predicted = play("objects.yml", "--check", "--diff", **less())
    told = play("objects.yml", **less())
    for output in (predicted, told):
        assert "because: it holds 1 messages" in output
        assert f"rabbitmqctl delete_queue --vhost tandem '{QUEUE}'" in output
    assert f"no binding order.created -> {QUEUE}" in predicted
    assert {QUEUE, f"{QUEUE}:dead"} <= queues(on)
    # It gets nothing new, and keeps the way for what it gives up.
    assert "Unroutable" in may(on, "orders.1", do="publish", exchange="order.created")
    bindings = said(
        on("m-mq-msk"), "rabbitmqctl --silent list_bindings -p tandem source_name destination_name"
    )
    assert f"dead\t{QUEUE}:dead" in bindings
    assert f"order.created\t{QUEUE}" not in bindings
    # Its user is gone with the catalog's entry.
    assert "mail.1" not in said(on("m-mq-msk"), "rabbitmqctl --silent list_users")
    assert "changed=0" in play("objects.yml", **less())


def test_everything_comes_back_with_the_catalog(on: On) -> None:
    play("objects.yml")
    assert client(on("m-mq-msk"), "drain", "mail.1", queue=QUEUE) == ["x"]
    assert "changed=0" in play("objects.yml")


def test_an_empty_queue_goes(on: On) -> None:
    play("objects.yml", **less())
    assert queues(on) == {"retry:1s"}
    policies = said(on("m-mq-msk"), "rabbitmqctl --silent list_policies -p tandem")
    assert QUEUE not in policies
    play("objects.yml")
    assert queues(on) == {QUEUE, f"{QUEUE}:dead", "retry:1s"}


def test_a_password_that_the_cluster_has_forgotten_is_set_again(on: On) -> None:
    said(on("m-mq-msk"), "rabbitmqctl --silent change_password orders.1 other")
    said(on("m-mq-msk"), "rabbitmqctl --silent change_password tandem other")
    told = play("objects.yml", "--diff")
    assert "password of the administrator" in told
    assert "password or tags of user orders.1" in told
    assert may(on, "orders.1", do="publish", exchange="order.created") == "ok"
    assert client(on("m-mq-msk"), "drain", "mail.1", queue=QUEUE) == ["x"]


# --- life ------------------------------------------------------------------------------------------------------------


def test_a_rolling_restart_loses_nothing(on: On) -> None:
    """Settings change while messages are published; one node after the other restarts."""
    before = {name: said(on(name), f"systemctl show -P MainPID {UNIT}") for name in ADDRESSES}
    result: dict[str, Any] = {}
    publisher = on("m-mq-wit")
    publisher.run("rm -f /tmp/stop")

    def load() -> None:
        result.update(client(publisher, "publish", "orders.1", exchange="order.created", stop="/tmp/stop"))

    thread = threading.Thread(target=load)
    thread.start()
    try:
        told = play("nodes.yml", rabbitmq_memory_high_watermark="400MiB")
    finally:
        publisher.run("touch /tmp/stop")
        thread.join()
    assert told.count("changed: [m-mq-") == 6  # the file and the restart, on each
    after = {name: said(on(name), f"systemctl show -P MainPID {UNIT}") for name in ADDRESSES}
    assert all(before[name] != after[name] for name in ADDRESSES)
    assert "changed=0" in play("nodes.yml", rabbitmq_memory_high_watermark="400MiB")
    taken = [int(body) for body in client(on("m-mq-msk"), "drain", "mail.1", queue=QUEUE)]
    assert len(result["confirmed"]) > 50
    assert set(result["confirmed"]) <= set(taken)
    print(f"rolling restart: longest time without a confirmed message {result['gap']:.1f} s")


def test_settings_that_rabbitmq_does_not_understand_are_refused_before_anything_changes(on: On) -> None:
    with pytest.raises(AssertionError, match="Nothing was written"):
        play("nodes.yml", rabbitmq_memory_high_watermark="much")
    assert "400MiB" in on("m-mq-msk").file("/etc/rabbitmq/rabbitmq.conf").content_string


def test_with_a_node_missing_nothing_restarts(on: On) -> None:
    before = said(on("m-mq-msk"), f"systemctl show -P MainPID {UNIT}")
    told = play("nodes.yml", "--limit=m-mq-msk:m-mq-wit", rabbitmq_absent=[NODES[1]])
    assert "not restarted while another node is missing" in " ".join(told.split())
    assert said(on("m-mq-msk"), f"systemctl show -P MainPID {UNIT}") == before
    play("nodes.yml")


def test_a_node_that_lost_its_data_comes_back_with_its_queues(on: On) -> None:
    assert may(on, "orders.1", do="publish", exchange="order.created") == "ok"
    said(
        on("m-mq-spb"),
        f"systemctl kill -s KILL {UNIT}; systemctl stop {UNIT}; rm -r /var/lib/rabbitmq/mnesia",
    )
    said(on("m-mq-spb"), "install -d -o rabbitmq -g rabbitmq -m 0750 /var/lib/rabbitmq/mnesia")
    said(on("m-mq-spb"), f"systemctl start {UNIT}")
    assert not on("m-mq-spb").service(UNIT).is_running  # on its own it would make a second cluster
    play("nodes.yml")
    assert "changed=0" in play("nodes.yml")
    test_queues_have_a_member_on_every_node_and_their_policy(on)
    assert client(on("m-mq-spb"), "drain", "mail.1", queue=QUEUE) == ["x"]


def test_all_nodes_come_back_after_a_loss_of_power(on: On) -> None:
    assert may(on, "orders.1", do="publish", exchange="order.created") == "ok"
    for name in ADDRESSES:
        said(on(name), f"systemctl kill -s KILL {UNIT}; systemctl stop {UNIT}")
    play("nodes.yml")
    assert client(on("m-mq-wit"), "drain", "mail.1", queue=QUEUE) == ["x"]


def test_new_certificates_are_taken_without_a_restart(on: On) -> None:
    before = said(on("m-mq-msk"), f"systemctl show -P MainPID {UNIT}")
    said(on("m-mq-msk"), f"systemctl reload {UNIT}")
    assert said(on("m-mq-msk"), f"systemctl show -P MainPID {UNIT}") == before
