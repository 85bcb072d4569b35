"""Which site answers which host, and how releases follow their pointers."""

import msgspec
import pytest

from app.publishing.gateway.catalogue import Catalogue, Shard
from app.publishing.manifest import CorruptObject, Manifest, digest, pack, shard_key, shard_of
from app.publishing.pointer import pointer_key
from app.storage.memory import MemoryStore
from tests.publishing.gateway.world import HOME, page, publish


class CountingStore(MemoryStore):
    """Notes what is read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    def get_with_etag(self, key: str) -> tuple[bytes, str]:
        self.read.append(key)
        return super().get_with_etag(key)

    def get(self, key: str) -> bytes:
        self.read.append(key)
        return super().get(key)


def catalogue_of(
    store: MemoryStore, default_site: str | None = None, *, local_names: bool = True
) -> Catalogue:
    catalogue = Catalogue(store, default_site=default_site, local_names=local_names)
    catalogue.read()
    return catalogue


def slug_for(catalogue: Catalogue, host: str) -> str | None:
    site = catalogue.snapshot.site(host.encode("latin-1"))
    return site.root.slug if site else None


def two_sites() -> MemoryStore:
    store = MemoryStore()
    home = page(store, HOME)
    publish(
        store,
        {"/": home},
        site_id="0002",
        slug="city",
        hosts=("City.test", "zürich.test", "ported.test:8443"),
    )
    publish(store, {"/": home}, site_id="0001", slug="coalition", hosts=("coalition.test",))
    return store


@pytest.mark.parametrize(
    ("host", "slug"),
    [
        ("city.test", "city"),
        ("CITY.test:8000", "city"),
        ("city.test.", "city"),
        ("xn--zrich-kva.test", "city"),
        ("ported.test", "city"),
        ("city.localhost:8000", "city"),
        ("coalition.test", "coalition"),
        ("127.0.0.1:8000", "coalition"),
        ("[::1]:8000", "coalition"),
        ("", "coalition"),
        ("evil.example", "coalition"),
        ("city.test@evil.example", "coalition"),
        ("city.test:80:80", "coalition"),
        ("\xff\x00", "coalition"),
    ],
)
def test_a_site_is_found_by_host_and_any_other_host_gets_the_oldest(host: str, slug: str) -> None:
    catalogue = catalogue_of(two_sites())
    assert slug_for(catalogue, host) == slug
    assert slug_for(catalogue, host) == slug


def test_the_default_site_can_be_named_and_one_that_is_not_published_is_not_replaced_by_another() -> None:
    assert slug_for(catalogue_of(two_sites(), "city"), "evil.example") == "city"
    assert slug_for(catalogue_of(two_sites(), "later"), "evil.example") is None
    assert slug_for(catalogue_of(two_sites(), "later"), "city.test") == "city"


def test_local_names_can_be_turned_off() -> None:
    assert slug_for(catalogue_of(two_sites(), local_names=False), "city.localhost") == "coalition"


def test_a_host_of_two_sites_belongs_to_the_older() -> None:
    store = MemoryStore()
    for site_id in ("0002", "0001"):
        publish(store, {}, site_id=site_id, slug=f"site-{site_id}", hosts=("same.test",))
    assert slug_for(catalogue_of(store), "same.test") == "site-0001"


def test_many_made_up_hosts_are_not_all_remembered() -> None:
    catalogue = catalogue_of(two_sites())
    for number in range(2_500):
        catalogue.snapshot.site(b"%d.evil.example" % number)
    assert len(catalogue.snapshot._asked) <= 1_000


def test_nothing_is_read_again_while_no_pointer_changes() -> None:
    store = CountingStore()
    publish(store, {"/": page(store, HOME)})
    catalogue = catalogue_of(store)
    store.read.clear()
    assert catalogue.read() is False
    assert store.read == []


def test_a_flip_reads_the_root_and_only_the_shards_that_changed() -> None:
    store = CountingStore()
    many = {f"/p{number}/": page(store, b"%d" % number) for number in range(500)}
    first = publish(store, many)
    catalogue = catalogue_of(store)
    before = catalogue.snapshot
    second = publish(store, {"/p7/": page(store, b"edited")}, number=2, base=first)
    store.read.clear()
    assert catalogue.read() is True
    assert [key for key in store.read if key.startswith("manifests/")] == [
        shard_key(second.shards[shard_of("/p7/")])
    ]
    assert len(store.read) == 3
    site = catalogue.snapshot.site(b"demo.test")
    assert site is not None
    assert site.root.number == 2
    old = before.site(b"demo.test")
    assert old is not None
    assert old.root.number == 1


def test_an_older_generation_is_ignored_also_when_its_release_is_newer() -> None:
    store = MemoryStore()
    home = page(store, HOME)
    publish(store, {"/": home}, number=2, generation=9)
    catalogue = catalogue_of(store)
    store.delete(pointer_key("site-1"))
    publish(store, {"/": home}, number=3, generation=8)
    assert catalogue.read() is False
    assert catalogue.snapshot.releases[0].root.number == 2


def test_a_rollback_is_an_older_release_with_a_newer_generation() -> None:
    store = MemoryStore()
    home = page(store, HOME)
    publish(store, {"/": home}, number=2, generation=9)
    catalogue = catalogue_of(store)
    publish(store, {"/": home}, number=1, generation=10)
    assert catalogue.read() is True
    assert catalogue.snapshot.releases[0].root.number == 1


def test_a_site_whose_pointer_goes_is_no_longer_served() -> None:
    store = two_sites()
    catalogue = catalogue_of(store)
    store.delete(pointer_key("0002"))
    assert catalogue.read() is True
    assert slug_for(catalogue, "city.test") == "coalition"


@pytest.mark.parametrize("damage", ["pointer", "foreign pointer", "root key", "no root", "shard", "host"])
def test_a_damaged_release_leaves_the_old_one_and_other_sites_alone_and_is_logged_once(
    damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store = two_sites()
    catalogue = catalogue_of(store)
    key = pointer_key("0002")
    before = store.get(key)
    publish(
        store,
        {"/new/": page(store, b"new")},
        site_id="0002",
        slug="city",
        hosts=("bad..host.ü",) if damage == "host" else ("city.test",),
        number=2,
    )
    break_it(store, key, damage)
    capsys.readouterr()
    assert catalogue.read() is False
    assert catalogue.read() is False
    assert capsys.readouterr().out.count("release_unreadable") == 1
    assert slug_for(catalogue, "city.test") == "city"
    assert catalogue.snapshot.releases[1].root.number == 1
    fields = msgspec.json.decode(before) | {"generation": 7}
    store.put(key, msgspec.json.encode(fields), content_type="application/json")
    assert catalogue.read() is True
    assert catalogue.snapshot.releases[1].pointer.generation == 7


def break_it(store: MemoryStore, key: str, damage: str) -> None:
    pointer = msgspec.json.decode(store.get(key))
    replaced = {
        "pointer": b"{",
        "foreign pointer": msgspec.json.encode(pointer | {"site_id": "0001"}),
        "root key": msgspec.json.encode(pointer | {"root": "../../etc/passwd"}),
    }
    if damage in replaced:
        store.put(key, replaced[damage], content_type="application/json")
    elif damage == "no root":
        store.delete(pointer["root"])
    elif damage == "shard":
        new = Manifest.load(store.get, pointer["root"]).shards[shard_of("/new/")]
        store.put(shard_key(new), b"rubbish", content_type="application/gzip")


def test_a_shard_of_another_shape_is_refused_when_it_is_loaded() -> None:
    with pytest.raises(CorruptObject, match="cannot be read"):
        Shard(digest(b"[]"), pack(b"[]"))


def test_an_entry_keeps_nothing_that_an_answer_does_not_need() -> None:
    """A hundred thousand of them are held in memory."""
    store = MemoryStore()
    publish(store, {"/": page(store, HOME, fingerprint="f" * 64), "/b/": page(store, b"b", fingerprint="e")})
    site = catalogue_of(store).snapshot.releases[0]
    first, second = site.find("/"), site.find("/b/")
    assert first is not None
    assert second is not None
    assert not hasattr(first, "fingerprint")
    assert first.content_type is second.content_type


def test_a_site_that_was_made_anew_takes_the_slug_of_the_one_before() -> None:
    """A store that outlived its database holds pointers of sites that no database knows."""
    store = two_sites()
    home = page(store, HOME)
    publish(store, {"/": home}, site_id="0003", slug="coalition", hosts=("coalition.test",))
    catalogue = catalogue_of(store)
    named = catalogue.snapshot.site(b"coalition.test")
    assert named is not None
    assert named.root.site_id == "0003"
    assert slug_for(catalogue, "unknown.test") == "city"
    assert [release.root.site_id for release in catalogue.snapshot.releases] == ["0002", "0003"]
