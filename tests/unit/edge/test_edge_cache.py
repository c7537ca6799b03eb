"""Purging: which kept answers a path means."""

from itertools import count

import pytest
from ansible_collections.tandem.platform.plugins.module_utils import edge_cache

HEADER = b"\x05\x00\x00\x00" + b"\x00\n\x01" * 110  # numbers, among them bytes that look like lines


@pytest.fixture
def keep(tmp_path):
    """Put an answer into the cache; returns its file."""

    numbers = count(10)

    def make(key):
        file = tmp_path / "a" / "bc" / f"{next(numbers):032x}"
        file.parent.mkdir(parents=True, exist_ok=True)
        body = b"HTTP/1.1 200 OK\r\n\r\n<p>\nKEY: shop.test/private\n</p>"
        file.write_bytes(HEADER + b"\nKEY: " + key.encode() + b"\n" + body)
        return file

    return make


@pytest.mark.parametrize(
    ("path", "key", "meant"),
    [
        ("/products/", "shop.test/products/", True),
        ("/products/", "shop.test/products/?page=2&q=%2F", True),
        ("/products/", "www.shop.test/products/7", True),
        ("/products/", "shop.test//products/./x/../7", True),
        ("/products/", "shop.test/%70roducts/7", True),
        ("/products/", "shop.test/products", False),
        ("/products/", "shop.test/en/products/", False),
        ("/products/7", "shop.test/products/7", True),
        ("/products/7", "shop.test/products/7?a=b", True),
        ("/products/7", "shop.test/products/7/reviews", True),
        ("/products/7", "shop.test/products/77", False),
        ("/products/7", "shop.test/products/?next=/products/7", False),
        ("/", "shop.test/", True),
        ("/", "shop.test/products/?page=2", True),
        ("/private", "shop.test/products/", False),
    ],
)
def test_what_a_path_means(keep, tmp_path, path, key, meant):
    file = keep(key)
    assert edge_cache.find(tmp_path, [path]) == ({file: key} if meant else {})


def test_several_paths(keep, tmp_path):
    files = [keep("a.test/x/1"), keep("a.test/y/1"), keep("a.test/z/1")]
    found = edge_cache.find(tmp_path, ["/x/", "/z"])
    assert set(found) == {files[0], files[2]}
    edge_cache.remove([*found, tmp_path / "gone meanwhile"])
    assert [file.exists() for file in files] == [False, True, False]


def test_other_files_are_left_alone(keep, tmp_path):
    keep("a.test/x/").rename(tmp_path / "not-of-the-cache")
    (tmp_path / f"{1:032x}.0000000001").write_bytes(b"half written\nKEY: a.test/x/\n")
    (tmp_path / f"{2:032x}").write_bytes(b"no key")
    (tmp_path / f"{3:032x}").mkdir()
    assert edge_cache.find(tmp_path, ["/"]) == {}


def test_a_cache_that_is_not_there_is_empty(tmp_path):
    assert edge_cache.find(tmp_path / "nowhere", ["/"]) == {}
