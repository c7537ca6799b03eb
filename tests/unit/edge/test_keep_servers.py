"""What is kept of HAProxy's servers over a reload."""

import importlib.util
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[3] / "roles/haproxy/files/keep_servers.py"
SPEC = importlib.util.spec_from_file_location("keep_servers", PROGRAM)
keep_servers = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(keep_servers)

# As HAProxy 3.0.11 says it.
HEAD = (
    "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "
    "srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state "
    "srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port "
    "srv_check_addr srv_agent_addr srv_agent_port\n"
)
FIRST = "3 svc_users 1 i1 127.0.0.1 2 8 1 1 0 15 3 2 6 0 0 0 - 5000 - 0 0 - - 0\n"
SECOND = "3 svc_users 2 i2 127.0.0.1 2 4 1 1 0 1 0 1 6 0 0 0 - 5001 - 0 0 - - 0\n"
CONFIG = """
frontend door
    bind 127.0.0.1:7443
    use_backend svc_%[var(txn.service)]

backend svc_users
    default-server check inter 1s
    server i1 127.0.0.1:5000
    server i2 127.0.0.1:PORT disabled
"""


def kept(port):
    servers = keep_servers.configured(CONFIG.replace("PORT", port))
    return keep_servers.unchanged(HEAD + FIRST + SECOND + "\n", servers)


def test_all_that_is_unchanged_is_kept():
    assert kept("5001") == HEAD + FIRST + SECOND


def test_a_server_that_has_moved_begins_anew():
    assert kept("5101") == HEAD + FIRST


def test_a_server_in_use_stays_in_use_when_it_is_disabled_now():
    # All ran before; now the second does so only on demand.
    ready = SECOND.replace("127.0.0.1 2 4", "127.0.0.1 2 0")
    servers = keep_servers.configured(CONFIG.replace("PORT", "5001"))
    assert keep_servers.unchanged(HEAD + FIRST + ready, servers) == HEAD + FIRST + SECOND


def test_a_server_that_is_down_stays_out():
    down, out = (SECOND.replace("127.0.0.1 2 4", f"127.0.0.1 0 {admin}") for admin in (4, 5))
    servers = keep_servers.configured(CONFIG.replace("PORT", "5001"))
    assert keep_servers.unchanged(HEAD + FIRST + down, servers) == HEAD + FIRST + out


def test_a_server_that_was_taken_out_stays_out():
    out = SECOND.replace("127.0.0.1 2 4", "127.0.0.1 0 5")
    servers = keep_servers.configured(CONFIG.replace("PORT", "5001"))
    assert keep_servers.unchanged(HEAD + FIRST + out, servers) == HEAD + FIRST + out


def test_the_file_is_replaced_and_only_for_root(tmp_path):
    path = tmp_path / "state" / "servers"
    for text in ("one", "two"):
        keep_servers.keep(path, text)
        assert path.read_text() == text and path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700 and len(list(path.parent.iterdir())) == 1
