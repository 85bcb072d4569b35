"""Manifests: canonical, incremental as full, and honest about damage."""

import hashlib
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.publishing.manifest import (
    JSON_GZ,
    Change,
    CorruptObject,
    Entry,
    Manifest,
    Root,
    blob_digest,
    blob_key,
    check_path,
    diff,
    encode_root,
    is_same,
    load_root,
    pack,
    root_key,
    shard_key,
    shard_of,
    split,
)
from app.storage.memory import MemoryStore
from app.storage.store import ObjectNotFound

HTML = "text/html; charset=utf-8"


def page(text: str, **fields: Any) -> Entry:
    known: dict[str, Any] = {
        "blob": blob_digest(HTML, text.encode()),
        "content_type": HTML,
        "size": len(text),
    }
    return Entry(**{**known, **fields})


def redirect(location: str) -> Entry:
    return Entry(status=301, location=location)


def save(store: MemoryStore, manifest: Manifest, number: int = 1) -> str:
    root = manifest.root_of(
        site_id="s1", slug="demo", hosts=("demo.test",), base_url="https://demo.test", number=number
    )
    for key, body in manifest.objects(root).items():
        store.put(key, body, content_type=JSON_GZ)
    return root_key(root)


slugs = st.text("abcdefghij", min_size=1, max_size=2)
paths = slugs.map(lambda slug: f"/{slug}/")
entries = st.one_of(
    st.text("xyz", max_size=2).map(page),
    slugs.map(lambda slug: redirect(f"/{slug}/")),
    st.just(Entry(status=410, gone_on="2026-03-01")),
)
changes = st.lists(st.tuples(paths, st.one_of(st.none(), entries)), max_size=40)


def full(wanted: Mapping[str, Change]) -> dict[str, Entry]:
    return {path: entry for path, entry in wanted.items() if entry is not None}


@given(steps=changes, cuts=st.lists(st.integers(0, 40), max_size=4), seed=st.randoms())
def test_incremental_equals_full_byte_for_byte_in_any_order(
    steps: list[tuple[str, Change]], cuts: list[int], seed: Random
) -> None:
    store = MemoryStore()
    manifest = Manifest.empty()
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(steps)], strict=True):
        manifest = Manifest.load(store.get, save(store, manifest)).apply(dict(steps[start:end]))
    wanted = list(full(dict(steps)).items())
    seed.shuffle(wanted)
    at_once = Manifest.empty().apply(dict(wanted))
    key, key_at_once = save(store, manifest), save(store, at_once)
    assert key == key_at_once
    assert {
        shard: store.get(shard_key(name)) for shard, name in load_root(store.get, key).shards.items()
    } == {shard: pack(body) for shard, body in split(dict(wanted)).items()}
    assert dict(Manifest.load(store.get, key).items()) == dict(wanted)
    assert len(manifest) == len(wanted)


@given(before=st.dictionaries(paths, entries), after=st.dictionaries(paths, entries))
def test_a_difference_applied_to_the_old_gives_the_new(
    before: dict[str, Entry], after: dict[str, Entry]
) -> None:
    old, new = Manifest.empty().apply(before), Manifest.empty().apply(after)
    difference = diff(old, new)
    assert list(difference) == sorted(difference)
    assert all(was != now for was, now in difference.values())
    assert old.apply({path: now for path, (_, now) in difference.items()}).shards == new.shards


def test_only_the_shards_of_changed_paths_are_written_again() -> None:
    store = MemoryStore()
    manifest = Manifest.empty().apply({f"/p{number}/": page(str(number)) for number in range(2_000)})
    key = save(store, manifest)
    assert len(manifest.shards) == 256
    edited = Manifest.load(store.get, key).apply({"/p7/": page("edited")})
    root = edited.root_of(site_id="s1", slug="demo", hosts=(), base_url="", number=2)
    assert list(edited.objects(root)) == [shard_key(edited.shards[shard_of("/p7/")]), root_key(root)]


def test_a_change_to_the_same_leaves_the_shards_as_they_are() -> None:
    store = MemoryStore()
    key = save(store, Manifest.empty().apply({"/a/": page("a")}))
    same = Manifest.load(store.get, key).apply({"/a/": page("a"), "/never/": None})
    assert same.shards == load_root(store.get, key).shards
    assert same.counts == {"200": 1}


def test_loading_reads_a_shard_only_when_it_is_asked_for() -> None:
    store = MemoryStore()
    key = save(store, Manifest.empty().apply({f"/p{number}/": page(str(number)) for number in range(99)}))
    asked: list[str] = []

    def get(name: str) -> bytes:
        asked.append(name)
        return store.get(name)

    manifest = Manifest.load(get, key)
    assert manifest.get("/p1/") == page("1")
    assert manifest.get("/p1/") == page("1")
    assert asked == [key, shard_key(manifest.shards[shard_of("/p1/")])]
    assert manifest.get("/nowhere/") is None


def test_counts_are_by_status_and_forget_what_has_gone() -> None:
    manifest = Manifest.empty().apply(
        {
            "/": page("home"),
            "/404.html": page("unknown", status=404),
            "/old/": redirect("/"),
            "/gone/": page("gone", status=410, gone_on="2026-03-01"),
        }
    )
    assert manifest.counts == {"200": 1, "301": 1, "404": 1, "410": 1}
    assert manifest.apply({"/old/": None, "/": None}).counts == {"404": 1, "410": 1}


def test_a_root_names_site_number_and_shards() -> None:
    store = MemoryStore()
    manifest = Manifest.empty().apply({"/": page("home")})
    key = save(store, manifest, number=42)
    assert key.startswith("releases/s1/00000042-")
    assert load_root(store.get, key) == Root(
        site_id="s1",
        slug="demo",
        hosts=("demo.test",),
        base_url="https://demo.test",
        number=42,
        shards=manifest.shards,
        counts={"200": 1},
    )


def test_packing_the_same_twice_gives_the_same_bytes_without_a_time() -> None:
    packed = pack(b"{}" * 1000)
    assert packed == pack(b"{}" * 1000)
    assert packed[4:8] == bytes(4)


@pytest.mark.parametrize("damage", ["cut off", "other bytes", "not gzip"])
@pytest.mark.parametrize("start", ["manifests/", "releases/"])
def test_a_damaged_object_is_named(start: str, damage: str) -> None:
    store = MemoryStore()
    key = save(store, Manifest.empty().apply({"/": page("home")}))
    (victim,) = store.list(start)
    bodies = {"cut off": store.get(victim.key)[:-9], "other bytes": pack(b"{}"), "not gzip": b"<html>"}
    store.put(victim.key, bodies[damage], content_type=JSON_GZ)
    with pytest.raises(CorruptObject, match=victim.key):
        Manifest.load(store.get, key).get("/")


@pytest.mark.parametrize("body", [b"[]", b"\xff", b'{"/": {"status": 999}}', b'{"/": {}}'])
def test_a_shard_that_is_no_shard_is_named_although_its_hash_is_right(body: bytes) -> None:
    store = MemoryStore()
    name = hashlib.sha256(body).hexdigest()
    store.put(shard_key(name), pack(body), content_type=JSON_GZ)
    manifest = Manifest({shard_of("/"): name}, {}, read=store.get, fresh={})
    with pytest.raises(CorruptObject, match=name):
        manifest.get("/")


def test_a_root_of_another_format_is_refused_by_name() -> None:
    store = MemoryStore()
    root = Root(format=2, site_id="s", slug="s", hosts=(), base_url="", number=1, shards={}, counts={})
    store.put(root_key(root), pack(encode_root(root)), content_type=JSON_GZ)
    with pytest.raises(CorruptObject, match="has format 2"):
        load_root(store.get, root_key(root))


def test_a_missing_root_or_shard_is_named() -> None:
    store = MemoryStore()
    key = save(store, Manifest.empty().apply({"/": page("home")}))
    (shard,) = store.list("manifests/")
    store.delete(shard.key)
    with pytest.raises(ObjectNotFound, match=shard.key):
        Manifest.load(store.get, key).get("/")
    store.delete(key)
    with pytest.raises(ObjectNotFound, match=key):
        Manifest.load(store.get, key)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"status": 404},
        {"blob": "abc"},
        {"blob": "A" * 64},
        {"status": 301},
        {"status": 301, "location": "/", "blob": "a" * 64},
        {"status": 410, "location": "/"},
        {"blob": "a" * 64, "encodings": ("gz", "br")},
        {"blob": "a" * 64, "encodings": ("br", "br")},
    ],
)
def test_an_entry_that_the_gateway_could_not_answer_cannot_be_made(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"has a location|has a blob|digits|sorted"):
        Entry(**fields)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "a",
        "//a",
        "/a//b",
        "/a/../b",
        "/a/.",
        "/..",
        "/./",
        "/a\\b",
        "/a\x00",
        "/\ud800",
        "/" + "a" * 1_000,
    ],
)
def test_a_path_that_no_request_can_name_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="no page can have the path"):
        Manifest.empty().apply({path: None})


@pytest.mark.parametrize("path", ["/", "/a/", "/.well-known/security.txt", "/größe/", "/a b?c#d", "/a..b/"])
def test_any_other_path_is_taken(path: str) -> None:
    assert check_path(path) == path


@pytest.mark.parametrize(("path", "status"), [("/404.html", 200), ("/404.html", 410), ("/a/", 404)])
def test_the_page_for_unknown_paths_has_one_place(path: str, status: int) -> None:
    with pytest.raises(ValueError, match=r"is at /404\.html"):
        Manifest.empty().apply({path: page("x", status=status)})


def test_the_name_of_a_blob_covers_its_content_type() -> None:
    assert blob_digest(HTML, b"a") == hashlib.sha256(b"text/html; charset=utf-8\0a").hexdigest()
    assert blob_digest(HTML, b"a") != blob_digest("text/plain", b"a")
    name = blob_digest(HTML, b"a")
    assert [blob_key(name), blob_key(name, "gz")] == [f"blobs/{name}", f"blobs/{name}.gz"]


def test_a_scan_finds_who_links_to_a_path_and_keeps_nothing() -> None:
    store = MemoryStore()
    linking = page("a", links=("/b c/", '/"quoted"/'))
    others = {f"/{number}/": page(str(number), links=("/b/",)) for number in range(50)}
    key = save(store, Manifest.empty().apply({"/a/": linking, **others}))
    manifest = Manifest.load(store.get, key)
    assert dict(manifest.scan()) == {"/a/": linking, **others}
    for word in ("/b c/", '/"quoted"/'):
        found = dict(manifest.scan([word]))
        assert found["/a/"] == linking
        assert {shard_of(path) for path in found} == {shard_of("/a/")}
    assert dict(manifest.scan(["/nowhere/"])) == {}
    assert manifest._entries == {}
    changed = manifest.apply({"/a/": page("a", links=("/c/",))})
    assert "/a/" in dict(changed.scan(["/c/"]))
    assert "/a/" not in dict(changed.scan(["/b c/"]))


def test_what_visitors_get_is_the_same_whatever_publishers_know_of_it() -> None:
    one = page("a", fingerprint="1", links=("/b/",))
    assert is_same(one, page("a", fingerprint="2"))
    assert not is_same(one, page("b", fingerprint="1", links=("/b/",)))
    assert not is_same(one, page("a", status=410, gone_on="2026-11-21"))
    assert not is_same(None, one)
