"""What every host has after role base, on a lab host, which is a container."""

testinfra_hosts = ["ansible://base"]


def test_packages_are_installed(host):
    for name in ("ca-certificates", "curl", "iproute2", "procps"):
        assert host.package(name).is_installed


def test_the_hosts_know_each_other_by_full_name_first(host):
    assert host.check_output("getent ahostsv4 m-certs").startswith("10.61.0.102 ")
    assert host.check_output("getent hosts 10.61.0.102").split()[1:] == ["m-certs.tandem.test", "m-certs"]
    assert host.check_output("hostname --fqdn") == "m-base.tandem.test"
    assert host.check_output("getent hosts printer.example.org").startswith("192.0.2.1 ")
    assert "127.0.1.1" not in host.file("/etc/hosts").content_string


def test_the_replaced_file_is_kept(host):
    assert host.check_output("ls /etc | grep -c '^hosts[.].*[.]bak$'") == "1"


def test_kernel_parameters_are_set_where_a_container_can(host):
    assert host.check_output("sysctl -n net.ipv4.tcp_syn_retries") == "3"
    assert "vm.swappiness" not in host.file("/etc/sysctl.d/60-tandem.conf").content_string


def test_the_journal_is_limited_and_kept(host):
    settings = host.check_output("systemd-analyze cat-config systemd/journald.conf")
    assert "SystemMaxUse=64M" in settings
    assert host.file("/var/log/journal").is_directory
    assert host.service("systemd-journald").is_running


def test_the_clock_is_left_to_the_machine_below(host):
    assert not host.package("systemd-timesyncd").is_installed


def test_the_platforms_directory_is_there(host):
    directory = host.file("/etc/tandem")
    assert (directory.user, directory.group, directory.mode) == ("root", "root", 0o755)
