"""Files for browsers on an edge: what is served, for how long, and that nothing half-made ever is."""

import tarfile

import pytest
from ansible_collections.tandem.platform.plugins.module_utils import static_sets
from ansible_collections.tandem.platform.plugins.module_utils.static_sets import StaticError, apply, plan


class Edge:
    """An edge's folder, and releases with files of given names and contents."""

    def __init__(self, place):
        self.root = place / "edge"
        self.root.mkdir()
        self.place = place

    def bundle(self, **services):
        outer = self.place / "bundle.tar"
        with tarfile.open(outer, "w") as stream:
            for service, files in services.items():
                inner = self.place / f"{service}.tar"
                with tarfile.open(inner, "w") as archive:
                    for name, text in files.items():
                        path = self.place / "content"
                        path.write_text(text)
                        archive.add(path, arcname=name)
                stream.add(inner, arcname=f"{service}.tar")
        return outer

    def plan(self, releases, plain=(), old=3):
        return plan(releases, plain, old, self.root)

    def deploy(self, release, files, old=3):
        changes = self.plan({"shop": release}, old=old)
        apply(changes, self.bundle(shop=files), self.root)
        return changes

    def served(self, service="shop"):
        folder = self.root / "static" / service
        return {
            str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()
        }


@pytest.fixture
def edge(tmp_path):
    return Edge(tmp_path)


def test_first_release(edge):
    (change,) = edge.deploy("r1", {"app.1.js": "one", "img/a.svg": "a"})
    assert (change.missing, change.keep) == (True, ("r1",))
    assert edge.served() == {"app.1.js": "one", "img/a.svg": "a"}
    assert edge.plan({"shop": "r1"}) == []


def test_files_can_be_read_by_all_and_keep_their_time(edge):
    edge.deploy("r1", {"img/a.svg": "a"})
    file = edge.root / "static/shop/img/a.svg"
    assert file.stat().st_mode & 0o777 == 0o644
    assert file.parent.stat().st_mode & 0o777 == 0o755
    assert file.stat().st_mtime == pytest.approx((edge.place / "content").stat().st_mtime, abs=1.1)


def test_three_older_releases_stay(edge):
    for number in range(1, 7):
        edge.deploy(f"r{number}", {f"app.{number}.js": str(number), "same.js": str(number)})
    assert set(edge.served()) == {"app.3.js", "app.4.js", "app.5.js", "app.6.js", "same.js"}
    assert edge.served()["same.js"] == "6"
    sets = edge.root / "static-sets/shop"
    assert {path.name for path in (sets / "sets").iterdir()} == {"r3", "r4", "r5", "r6"}
    assert len(list(sets.glob("all-*"))) == 1


def test_an_older_release_comes_back_without_being_sent(edge):
    edge.deploy("r1", {"app.1.js": "1"})
    edge.deploy("r2", {"app.2.js": "2"})
    (change,) = edge.plan({"shop": "r1"})
    assert (change.missing, change.keep) == (False, ("r1", "r2"))
    apply([change], None, edge.root)
    assert set(edge.served()) == {"app.1.js", "app.2.js"}
    assert edge.plan({"shop": "r1"}) == []


def test_fewer_older_releases_are_asked_for(edge):
    edge.deploy("r1", {"app.1.js": "1"})
    edge.deploy("r2", {"app.2.js": "2"})
    apply(edge.plan({"shop": "r2"}, old=0), None, edge.root)
    assert set(edge.served()) == {"app.2.js"}


def test_a_service_that_goes_leaves_nothing(edge):
    edge.deploy("r1", {"app.1.js": "1"})
    (change,) = edge.plan({}, ["users"])
    assert (change.service, change.keep) == ("shop", ())
    apply([change], None, edge.root)
    assert list((edge.root / "static").iterdir()) == list((edge.root / "static-sets").iterdir()) == []
    assert edge.plan({}, ["users"]) == []


def test_a_release_without_files_leaves_the_older_ones_alone(edge):
    edge.deploy("r1", {"app.1.js": "1"})
    assert edge.plan({}, ["shop"]) == []


def test_nothing_half_made_is_served(edge, monkeypatch):
    edge.deploy("r1", {"app.1.js": "1"})
    before = edge.served()
    for step in ("_unpack", "_link_files", "_write", "_point"):
        with monkeypatch.context() as patch:
            patch.setattr(static_sets, step, lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                edge.deploy("r2", {"app.2.js": "2", "b.js": "b"})
        assert edge.served() == before
    edge.deploy("r2", {"app.2.js": "2", "b.js": "b"})
    assert edge.served() == before | {"app.2.js": "2", "b.js": "b"}
    assert edge.plan({"shop": "r2"}) == []


def test_leftovers_of_an_interrupted_run_go(edge):
    edge.deploy("r1", {"app.1.js": "1"})
    (edge.root / "static-sets/shop/sets/.new-r2").mkdir()
    (change,) = edge.plan({"shop": "r1"})
    apply([change], None, edge.root)
    assert [path.name for path in (edge.root / "static-sets/shop/sets").iterdir()] == ["r1"]


@pytest.mark.parametrize("name", ["../evil.js", ".hidden", "a/../../evil.js"])
def test_archives_stay_in_their_folder(edge, name):
    with pytest.raises(StaticError, match="no file to be served"):
        edge.deploy("r1", {name: "x"})
    assert edge.served() == {}


def test_an_archive_that_did_not_arrive_is_told(edge):
    changes = edge.plan({"shop": "r1"})
    with pytest.raises(StaticError, match="did not arrive"):
        apply(changes, edge.bundle(other={"a": "a"}), edge.root)
