"""The door's runtime socket, with a stand-in that answers as HAProxy does."""

import socket
import threading

import pytest
from ansible_collections.tandem.platform.plugins.module_utils.instances_door import Door, DoorError, Server

STAT = """# pxname,svname,qcur,qmax,scur,status,weight
svc_users,i1,0,0,2,UP,1
svc_users,i2,1,0,0,DRAIN,0
svc_users,BACKEND,0,0,2,UP,1
svc_order-intake,i1,0,0,0,UP 1/2,1
call_users,msk-app1,0,0,0,UP,1
"""


@pytest.fixture
def haproxy(tmp_path):
    """A door, its answers by command, and the commands that it got."""
    path = tmp_path / "admin.sock"
    answers, heard = {"show stat -1 4 -1": STAT}, []
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(path))
    server.listen()

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            command = connection.recv(4096).decode().strip()
            heard.append(command)
            connection.sendall((answers.get(command, "") + "\n").encode())
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield Door(path), answers, heard
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


def test_servers_are_the_instances(haproxy):
    door, _, _ = haproxy
    assert door.servers("users") == {1: Server("UP", 2), 2: Server("DRAIN", 1)}
    assert door.servers("order-intake") == {1: Server("UP 1/2", 0)}
    assert door.servers("unknown") == {}
    assert door.servers("users")[1].usable and not door.servers("users")[2].usable
    assert door.servers("users")[2].drained


def test_commands(haproxy):
    door, answers, heard = haproxy
    answers["show map /etc/haproxy/drain.map"] = "0x7f690e4820e0 orders 1\n"
    door.take_out("users", 1)
    door.put_back("users", 1, True)
    door.put_back("users", 2, False)
    door.drain("users")
    door.drain("orders")
    door.undrain("orders")
    door.undrain("users")
    assert [command for command in heard if not command.startswith("show")] == [
        "set server svc_users/i1 state drain",
        "set server svc_users/i1 health up",
        "set server svc_users/i1 state ready",
        "set server svc_users/i2 state ready",
        "add map /etc/haproxy/drain.map users 1",
        "del map /etc/haproxy/drain.map orders",
    ]
    assert door.drained_services() == {"orders"}


def test_refusal_is_an_error(haproxy):
    door, answers, _ = haproxy
    answers["set server svc_users/i9 state drain"] = "No such server."
    with pytest.raises(DoorError, match=r"refused 'set server svc_users/i9 state drain': No such server"):
        door.take_out("users", 9)


def test_host_without_a_door(tmp_path):
    door = Door(tmp_path / "none.sock")
    assert not door.present and door.servers("users") == {} and door.drained_services() == set()


def test_dead_door_is_an_error(tmp_path):
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
    with pytest.raises(DoorError, match="does not answer"):
        Door(path).servers("users")
