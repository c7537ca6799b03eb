"""The small parts that need no booted host."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from lab import (
    LabError,
    base,
    checks,
    cli,
    disk,
    facts,
    faults,
    mirror,
    network,
    seed,
    services,
    settings,
    snapshots,
)
from lab.core import Lab
from lab.model import GIB, Host, parse_size
from lab.paths import disk_image

PROJECT = Path(__file__).resolve().parents[3]


# --- hosts


def test_record_of_a_host(host):
    assert Host.from_json(json.loads(json.dumps(host.to_json()))) == host


@pytest.mark.parametrize(("text", "size"), [("4G", 4 * GIB), ("512m", GIB // 2), ("8K", 8192), (4096, 4096)])
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "G", "-1", "4X"])
def test_no_sizes(text):
    with pytest.raises(LabError, match="not a size"):
        parse_size(text)


def test_names_for_dns(host):
    assert services.name_lines([host]).splitlines() == [
        "10.61.0.11 msk-edge1.tandem.test msk-edge1 shop.tandem.test",
        "fd61::11 msk-edge1.tandem.test msk-edge1 shop.tandem.test",
    ]


def test_seed_of_a_host(host):
    assert "10.61.0.11 msk-edge1.tandem.test msk-edge1\n" in seed.hosts_file(host)
    text = seed.network_file(host)
    assert "Address=10.61.0.11/24\nGateway=10.61.0.1\nGateway=fd61::1\n" in text
    assert "[Address]\nAddress=fd61::11/64\nDuplicateAddressDetection=none\n" in text


# --- the machine


def test_missing_programs_are_named_with_their_packages(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None if name in ("nft", "dnsmasq") else f"/bin/{name}")
    with pytest.raises(LabError) as caught:
        checks.programs()
    assert caught.value.problem == "programs are missing: dnsmasq, nft"
    assert caught.value.cure == "apt-get install --no-install-recommends dnsmasq-base nftables"


def test_not_root(monkeypatch):
    monkeypatch.setattr(checks.os, "geteuid", lambda: 1000)
    with pytest.raises(LabError, match="only root may"):
        checks.root()


def test_too_little_space(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(GIB, GIB, 0))
    with pytest.raises(LabError, match=r"12 new hosts need 4800 MiB .* and 0 MiB are free"):
        checks.space(12)


@pytest.mark.parametrize("code", sorted(checks.PROBES))
def test_kernel_that_lacks_something(monkeypatch, code):
    failed = subprocess.CompletedProcess([], code, "", "not permitted")
    monkeypatch.setattr(subprocess, "run", lambda *words, **options: failed)
    with pytest.raises(LabError) as caught:
        checks.features()
    assert caught.value.problem.endswith("not permitted")
    assert caught.value.cure == checks.PROBES[code][1]


def test_settings_are_put_back(tmp_path):
    proc, run, other = tmp_path / "proc", tmp_path / "tandem-lab", tmp_path / "tandem-test"
    values = {"net/ipv4/ip_forward": "0\n", "fs/inotify/max_user_instances": "128\n"}
    for key, value in values.items():
        (proc / key).parent.mkdir(parents=True, exist_ok=True)
        (proc / key).write_text(value)

    def read():
        return [int((proc / key).read_text()) for key in values]

    run.mkdir()
    other.mkdir()
    settings.apply(run, proc)
    settings.apply(other, proc)
    assert read() == [1, 1024]
    settings.restore(run, proc)
    assert read() == [1, 1024], "the other lab still needs them"
    settings.restore(other, proc)
    assert read() == [0, 128]


def test_settings_of_a_generous_machine_stay(tmp_path):
    for key, value in {"net/ipv4/ip_forward": 1, "fs/inotify/max_user_instances": 8192}.items():
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_text(str(value))
    settings.apply(tmp_path, tmp_path)
    assert (tmp_path / "fs/inotify/max_user_instances").read_text() == "8192"


# --- base, disks, snapshots


def test_base_is_rebuilt_when_its_recipe_changes(monkeypatch):
    mirrors = mirror.Mirrors("http://a/debian", "http://a/security")
    before = base.key(mirrors)
    assert base.key(mirrors) == before
    assert base.key(mirror.Mirrors("http://b/debian", "http://a/security")) != before
    monkeypatch.setattr(base, "PACKAGES", [*base.PACKAGES, "vim"])
    assert base.key(mirrors) != before


def test_disk_is_sparse_and_of_the_wanted_size(tmp_path):
    image = tmp_path / "disk.img"
    disk.create(image, 2 * GIB)
    assert image.stat().st_size == 2 * GIB
    assert image.stat().st_blocks * 512 < 16 << 20
    disk.copy(image, tmp_path / "copy.img")
    assert (tmp_path / "copy.img").stat().st_blocks * 512 < 16 << 20


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "-x"])
def test_names_of_snapshots(name):
    with pytest.raises(LabError, match="no name for a snapshot"):
        snapshots.folder(name)


def test_facts_of_one_host_are_forgotten(tmp_path, monkeypatch):
    monkeypatch.setattr(facts, "FOLDER", tmp_path)
    for name in ("s1_app1", "app1", "s1_msk-app1", "s1_app11"):
        (tmp_path / name).touch()
    facts.forget("app1")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s1_app11", "s1_msk-app1"]


# --- cuts


def test_cuts_are_told_as_commands(monkeypatch):
    sets = {
        "cut_sites": 'elements = { "br-msk" }',
        "dark_sites": "",
        "cut_links": 'elements = { "br-msk" . "br-spb",\n\t\t"br-spb" . "br-msk" }',
        "isolated": 'elements = { "vb-wit1" }',
    }

    def inside(*words, **options):
        return subprocess.CompletedProcess(
            words, 0, f"set x {{\n type ifname\n {sets[words[1].split()[-1]]}\n}}", ""
        )

    monkeypatch.setattr(network, "inside", inside)
    assert faults.describe() == ["cut msk", "cut-link msk spb", "isolate wit1"]


def test_a_site_has_no_link_to_itself(site):
    with pytest.raises(LabError, match="no link to itself"):
        faults.cut_link(site, site)


def test_world_is_no_site_of_the_platform(site):
    with pytest.raises(LabError, match="no site of the platform"):
        faults.cut(site, world="msk")


# --- the lab as a whole


def test_env_of_the_projects_lab():
    env = Lab(quiet=True).env()
    json.dumps(env)
    assert set(env) == {
        "hosts", "sites", "edges", "public_names", "urls", "ca_file", "ssh", "netns", "world",
    }  # fmt: skip
    assert env["hosts"]["msk-data1"]["classes"] == ["data"]
    assert env["edges"] == ["10.61.0.11", "10.61.0.12", "10.62.0.11"]
    assert env["sites"]["wit"]["witness"] is True
    assert env["urls"] == [f"https://{env['public_names'][0]}/"]
    assert Path(env["ca_file"]).is_absolute()


def test_unknown_hosts_are_named():
    with pytest.raises(LabError, match="no host nowhere in the inventory"):
        Lab(quiet=True).up("msk-data1", "nowhere")


def test_every_verb_is_explained(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    shown = capsys.readouterr().out
    readme = (PROJECT / "lab" / "README.md").read_text()
    verbs = [
        line.split()[0]
        for line in shown.splitlines()
        if line.startswith("    ") and not line.startswith("     ")
    ]
    assert len(verbs) >= 20
    for verb in verbs:
        assert f"`{verb}" in readme, f"lab/README.md does not explain {verb}"


def test_errors_are_told_without_a_traceback(capsys):
    assert cli.main(["up", "-i", "/nonexistent"]) == 1
    assert "cure: " in capsys.readouterr().err


def test_files_of_a_host():
    assert str(disk_image("a")).endswith("/hosts/a/disk.img")
