"""Which hosts are left out of a run."""

import socket

import pytest
from ansible_collections.tandem.platform.plugins.plugin_utils.reachability import target_of, unreachable


@pytest.fixture
def open_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return port


@pytest.mark.parametrize(
    ("variables", "target"),
    [
        ({}, ("a", 22)),
        ({"ansible_host": "192.0.2.1", "ansible_port": "2222"}, ("192.0.2.1", 2222)),
        ({"ansible_connection": "local"}, None),
        ({"ansible_ssh_common_args": "-o ProxyJump=bastion"}, None),
        ({"ansible_ssh_common_args": "-o IdentitiesOnly=yes"}, ("a", 22)),
    ],
)
def test_where_a_host_is_tried(variables, target):
    assert target_of("a", variables) == target


def test_only_hosts_that_do_not_answer_are_named(open_port, closed_port):
    found = unreachable({"up": ("127.0.0.1", open_port), "down": ("127.0.0.1", closed_port)}, timeout=2)
    assert list(found) == ["down"]
    assert "connection refused" in found["down"]


def test_a_silent_host_is_left_out_in_time():
    # A listener whose queue is full answers no more, like a host that is cut off.
    with socket.socket() as server, socket.socket() as waiting:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        waiting.connect(server.getsockname())
        found = unreachable({"silent": server.getsockname()}, timeout=0.2)
    assert "within 0.2 s" in found["silent"]


def test_later_plays_leave_the_silent_hosts_out(player, open_port, closed_port):
    hosts = {
        "up": {"ansible_host": "127.0.0.1", "ansible_port": open_port},
        "down": {"ansible_host": "127.0.0.1", "ansible_port": closed_port},
    }
    later = {
        "hosts": "platform:!unreachable",
        "gather_facts": False,
        "tasks": [{"name": "Go on", "ansible.builtin.debug": {"msg": "here"}}],
    }
    done = player.playbook("reach.yml", {"platform": {"hosts": hosts}}, later)
    assert done.rc == 0, done.output
    assert [name for name, results in done.results.items() if "Go on" in results] == ["up"]
    assert "Left out of this run: down (127.0.0.1 port" in done.output
    alone = player.playbook("reach.yml", {"platform": {"hosts": {"down": hosts["down"]}}})
    assert "No host answers on its SSH port" in alone.output
