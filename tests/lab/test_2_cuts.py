"""Who still reaches whom after each cut."""

import subprocess
import time

import pytest

ECHO = """
import socket
server = socket.create_server(("", 7), reuse_port=True)
while True:
    peer, _ = server.accept()
    while data := peer.recv(100):
        peer.sendall(data)
"""
TALK = """
import socket, sys
peer = socket.create_connection((sys.argv[1], 7), timeout=3)
peer.sendall(b"a"); peer.recv(1)
print("ready", flush=True)
sys.stdin.readline()
peer.sendall(b"b")
try:
    print("closed" if not peer.recv(1) else "answered", flush=True)
except TimeoutError:
    print("silence", flush=True)
except ConnectionError:
    print("reset", flush=True)
"""


@pytest.fixture
def conversation(lab):
    """An open connection from north to south; call it to learn what became of it."""
    server = lab.popen("t-south1", "python3", "-c", ECHO)
    time.sleep(1)
    client = lab.popen(
        "t-north1", "python3", "-c", TALK, "10.72.0.11", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert client.stdout.readline() == "ready\n"

    def answer():
        client.stdin.write("go\n")
        client.stdin.flush()
        return client.stdout.readline().strip()

    yield answer
    client.kill()
    server.kill()


def managed(lab, host):
    """Say whether the machine itself still reaches the host by SSH."""
    return lab("ssh", host, "true", check=False).returncode == 0


def test_cut_site_from_other_sites(lab):
    lab("cut", "north")
    assert lab.reaches("t-north1", "t-south1") == lab.reaches("t-south1", "t-north1") == ""
    assert lab.reaches("t-third1", "t-north1") == ""
    assert lab.reaches("t-south1", "t-third1") == "46"
    assert lab.reaches("t-north1", "t-north2") == "46"
    assert lab.reaches("t-world", "t-north1") == lab.reaches("t-world", "t-south1") == "46"
    assert managed(lab, "t-north1")
    lab("heal")
    assert lab.reaches("t-north1", "t-south1") == "46"


def test_blackout_cuts_users_too(lab):
    lab("blackout", "north")
    assert lab.reaches("t-world", "t-north1") == lab.reaches("t-north1", "t-south1") == ""
    assert lab.reaches("t-north1", "t-north2") == lab.reaches("t-world", "t-south1") == "46"
    assert managed(lab, "t-north1")


def test_cut_link_cuts_one_link(lab):
    lab("cut-link", "north", "south")
    assert lab.reaches("t-north1", "t-south1") == lab.reaches("t-south1", "t-north1") == ""
    assert lab.reaches("t-north1", "t-third1") == lab.reaches("t-south1", "t-third1") == "46"
    assert "cut-link north south" in lab("status").stdout


def test_isolated_host_is_alone_also_inside_its_site(lab):
    lab("isolate", "t-north1")
    assert lab.reaches("t-north2", "t-north1") == lab.reaches("t-north1", "t-north2") == ""
    assert lab.reaches("t-north1", "t-south1") == lab.reaches("t-world", "t-north1") == ""
    assert managed(lab, "t-north1")
    lab("kill", "t-north1")
    lab("boot", "t-north1")
    assert lab.reaches("t-north2", "t-north1") == "", "a reboot does not heal"
    lab("heal")
    assert lab.reaches("t-north2", "t-north1") == "46"


def test_open_connections_die_with_the_cut(lab, conversation):
    lab("cut-link", "north", "south")
    assert conversation() == "silence"


def test_a_killed_host_says_no_goodbye(lab, conversation):
    lab("kill", "t-south1")
    assert conversation() == "silence"
