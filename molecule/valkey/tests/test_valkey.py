"""What the valkey role promises."""

# testinfra ships no type information.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support import scenario
from tests.support.scenario import said

SCENARIO = Path(__file__).resolve().parents[1]
INVENTORY = SCENARIO.parent / "inventory"
SECRETS = INVENTORY / ".secrets"
UNIT = "tandem-valkey"
ADDRESS = "10.61.0.108"
CLI = "/usr/lib/tandem/valkey/cli"
play = partial(scenario.play, SCENARIO / "converge.yml")


def password(user: str) -> str:
    return (SECRETS / "services" / user / "valkey_password").read_text()


def asked(host: Any, user: str, *words: str, secret: str | None = None, options: str = "--tls") -> str:
    """What the server answers to a service, over its address; errors too."""
    login = f"REDISCLI_AUTH={secret or password(user)}" if user else ""
    name = f"--user {user} --no-auth-warning" if user else ""
    to = f"-h {ADDRESS} {options} --cacert /etc/tandem/tls/ca.pem"
    result = host.run(f"{login} timeout 10 valkey-cli {to} {name} {' '.join(words)} 2>&1")
    return str(result.stdout).strip()


def process(host: Any) -> str:
    return said(host, f"systemctl show -P MainPID {UNIT}")


# --- who gets in -----------------------------------------------------------------------------------------------------


def test_it_listens_on_the_hosts_address_alone(host: Any) -> None:
    listens = {line.split()[3] for line in said(host, "ss -Hlnt").splitlines()} - {"0.0.0.0:22", "[::]:22"}
    assert listens == {f"{ADDRESS}:6379"}
    assert said(host, "stat -c '%U %a' /run/tandem-valkey /run/tandem-valkey/socket").splitlines() == [
        "valkey 700",
        "valkey 700",
    ]


def test_debians_unit_never_ran(host: Any) -> None:
    assert said(host, "systemctl show -P LoadState valkey-server") == "masked"
    assert said(host, "journalctl --no-pager -q -u valkey-server.service --grep Started || true") == ""
    assert host.service(UNIT).is_running
    assert host.service(UNIT).is_enabled


def test_only_tls_1_3_is_spoken(host: Any) -> None:
    assert asked(host, "products", "PING") == "PONG"
    assert "PONG" not in asked(host, "products", "PING", options="")
    connect = f"openssl s_client -connect {ADDRESS}:6379 -CAfile /etc/tandem/tls/ca.pem -verify_return_error"
    assert host.run(f"{connect} -tls1_3 </dev/null").rc == 0
    assert host.run(f"{connect} -tls1_2 </dev/null").rc != 0


def test_nobody_gets_in_without_a_password(host: Any) -> None:
    assert "NOAUTH" in asked(host, "", "PING")
    assert "WRONGPASS" in asked(host, "default", "PING", secret="nopass")
    assert "WRONGPASS" in asked(host, "products", "PING", secret="wrong")
    assert "WRONGPASS" in asked(host, "products", "PING", secret=password("orders"))


def test_a_service_has_its_own_keys_and_no_others(host: Any) -> None:
    assert asked(host, "products", "SET products:a 1 PX 60000 NX") == "OK"
    assert asked(host, "products", "MGET products:a products:b") == "1"
    assert asked(host, "products", "DEL products:a") == "1"
    for words in (
        "SET orders:a 1",
        "GET orders:a",
        "MGET products:a orders:a",
        "GET products",
        "DEL orders:a",
    ):
        assert "NOPERM" in asked(host, "products", words), words


REFUSED = """KEYS '*'; SCAN 0; RANDOMKEY; DBSIZE; FLUSHALL; CONFIG GET '*'; ACL LIST; CLIENT LIST; EVAL 'return 1' 0;
    FUNCTION LIST; SUBSCRIBE x; PUBLISH x y; MONITOR; INFO; SHUTDOWN; SAVE; REPLICAOF NO ONE; BLPOP products:x 1;
    SORT products:x; MODULE LIST; OBJECT FREQ products:x; CLIENT KILL ID 1"""


@pytest.mark.parametrize("words", [words.strip() for words in REFUSED.split(";")])
def test_commands_that_show_or_touch_more_are_refused(host: Any, words: str) -> None:
    assert "NOPERM" in asked(host, "products", words)


def test_passwords_are_nowhere_on_the_host(host: Any) -> None:
    users = host.file("/etc/tandem/valkey/users.acl")
    assert (users.user, users.group, users.mode) == ("root", "valkey", 0o640)
    assert (
        host.file("/etc/tandem/valkey/password").user,
        host.file("/etc/tandem/valkey/password").mode,
    ) == (
        "root",
        0o600,
    )
    for user in ("products", "orders"):
        assert password(user) not in users.content_string
        assert host.run(f"grep -rq {password(user)} /etc /usr/lib/tandem /run/tandem-valkey").rc == 1


def test_the_unit_is_sandboxed(host: Any) -> None:
    exposure = said(host, f"systemd-analyze security --no-pager {UNIT}.service").splitlines()[-1]
    assert float(exposure.split(":")[1].split()[0]) <= 2.0, exposure


# --- a cache ---------------------------------------------------------------------------------------------------------


def test_nothing_is_kept_on_disk(host: Any) -> None:
    assert asked(host, "products", "SET products:kept 1") == "OK"
    said(host, f"systemctl restart {UNIT}")
    assert asked(host, "products", "EXISTS products:kept") == "0"
    assert said(host, "ls -A /var/lib/valkey /run/tandem-valkey") == (
        "/run/tandem-valkey:\nsocket\n\n/var/lib/valkey:"
    )


def test_when_it_is_full_old_keys_make_room(host: Any) -> None:
    said(host, "head -c 500000 /dev/zero | tr '\\0' x >/tmp/value")
    for number in range(60):
        assert asked(host, "products", f"-x SET products:{number} </tmp/value") == "OK"
    assert asked(host, "products", "EXISTS products:0 products:59") == "1"
    told = dict(line.strip().split(":", 1) for line in said(host, f"{CLI} INFO").splitlines() if ":" in line)
    assert int(told["evicted_keys"]) > 20
    assert int(told["used_memory"]) < 2 * 16 * 1024 * 1024


def test_it_comes_back_when_it_dies(host: Any) -> None:
    before = process(host)
    said(host, f"systemctl kill -s KILL {UNIT}")
    ready = f"[ $(systemctl show -P MainPID {UNIT}) != {before} ] && systemctl is-active -q {UNIT}"
    said(host, f"for i in $(seq 100); do {ready} && exit 0; sleep 0.1; done; exit 1")
    assert asked(host, "products", "PING") == "PONG"


# --- changes ---------------------------------------------------------------------------------------------------------

USERS = [
    {"name": "products", "secret": "services/products/valkey_password"},
    {"name": "audit", "secret": "services/audit/valkey_password"},
]


def test_users_change_without_a_restart(host: Any) -> None:
    before = process(host)
    assert asked(host, "products", "SET products:stays 1") == "OK"
    told = play("--diff", valkey_users=USERS)
    assert password("audit") not in told
    assert asked(host, "audit", "SET audit:a 1") == "OK"
    assert "WRONGPASS" in asked(host, "orders", "PING")
    assert asked(host, "products", "GET products:stays") == "1"
    assert "changed=0" in play(valkey_users=USERS)
    play()
    assert asked(host, "orders", "PING") == "PONG"
    assert process(host) == before


def test_a_new_password_is_taken_without_a_restart(host: Any) -> None:
    before, old = process(host), password("orders")
    (SECRETS / "services" / "orders" / "valkey_password").unlink()
    play()
    assert password("orders") != old
    assert asked(host, "orders", "PING") == "PONG"
    assert "WRONGPASS" in asked(host, "orders", "PING", secret=old)
    assert process(host) == before


def test_a_new_certificate_is_taken_without_a_restart(host: Any) -> None:
    before = process(host)
    serial = f"openssl s_client -connect {ADDRESS}:6379 </dev/null 2>/dev/null | openssl x509 -noout -serial"
    old = said(host, serial)
    (SECRETS / "certificates" / "m-valkey" / "valkey.pem").unlink()
    play()
    assert said(host, serial) != old
    assert process(host) == before
    assert asked(host, "products", "PING") == "PONG"


def test_a_new_administrators_password_is_taken(host: Any) -> None:
    (SECRETS / "valkey" / "tandem" / "m-valkey").unlink()
    play()
    assert said(host, f"{CLI} PING") == "PONG"
    assert "changed=0" in play()
    said(host, f"systemctl reload {UNIT}")


def test_a_changed_configuration_restarts_it_once(host: Any) -> None:
    before = process(host)
    play(valkey_max_memory="24mb")
    after = process(host)
    assert after != before
    assert said(host, f"{CLI} CONFIG GET maxmemory").split() == ["maxmemory", str(24 * 1024 * 1024)]
    assert "changed=0" in play(valkey_max_memory="24mb")
    assert process(host) == after


def test_what_valkey_does_not_understand_changes_nothing(host: Any) -> None:
    before = process(host)
    kept = host.file("/etc/tandem/valkey/valkey.conf").content_string
    with pytest.raises(AssertionError, match="Nothing was written"):
        play(valkey_max_memory="much")
    assert host.file("/etc/tandem/valkey/valkey.conf").content_string == kept
    assert process(host) == before


def test_users_that_valkey_does_not_understand_are_refused(host: Any) -> None:
    said(host, "echo 'user x on +@nothing' >/tmp/wrong.acl")
    refused = host.run("/usr/lib/tandem/valkey/check users /tmp/wrong.acl")
    assert refused.rc == 1
    assert "@nothing" in refused.stderr
    assert said(host, "pgrep -c valkey-server") == "1"
