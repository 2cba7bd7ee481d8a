"""Identifiers and the binding tag."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from metanode.core.model.errors import Rejection
from metanode.fingerprint.collect import Report, read_machine
from metanode.fingerprint.identifiers import Identifier, binding_basis, binding_tag, find_identifiers, salted_hash

GENESIS = bytes(range(32))


def test_one_machine_has_one_tag_whoever_looks(load: Callable) -> None:  # type: ignore[type-arg]
    """What only root may read must not change the tag."""
    dump, facts = load("thinkpad-ivy-bridge")
    as_user = read_machine(dump, facts)
    files = {**dump.files, "sys/class/dmi/id/product_uuid": "4c4c4544-0000-1111-2222-333344445555\n"}
    as_root = read_machine(replace(dump, files=files), facts)
    assert len(as_root.identifiers) == len(as_user.identifiers) + 1
    assert binding_tag(as_user.identifiers, GENESIS) == binding_tag(as_root.identifiers, GENESIS)


def test_reinstalling_or_plugging_in_a_card_keeps_the_tag(load: Callable) -> None:  # type: ignore[type-arg]
    """The machine id and removable devices do not count where hardware does."""
    dump, facts = load("thinkpad-ivy-bridge")
    files = {
        **dump.files,
        "etc/machine-id": "f" * 31 + "0",
        "link:sys/class/net/enx1": "../../devices/pci0000:00/0000:00:14.0/usb3/3-1/3-1:1.0/net/enx1",
        "sys/class/net/enx1/address": "00:00:5e:00:00:09",
        "sys/class/net/enx1/addr_assign_type": "0",
    }
    changed = read_machine(replace(dump, files=files), facts)
    assert binding_tag(changed.identifiers, GENESIS) == binding_tag(read_machine(dump, facts).identifiers, GENESIS)
    assert Identifier("weak_mac", "00:00:5e:00:00:09") in changed.identifiers


def test_tags_differ_between_machines_and_between_chains(
    replay: Callable[[str], Report], machines: tuple[str, ...]
) -> None:
    """No two dumps share a tag, and a tag says nothing on another chain."""
    tags = {binding_tag(replay(name).identifiers, GENESIS) for name in machines}
    others = {binding_tag(replay(name).identifiers, bytes(32)) for name in machines}
    assert len(tags) == len(others) == len(machines)
    assert not tags & others
    assert all(len(tag) == 32 for tag in tags)


def test_the_order_of_identifiers_does_not_matter(replay: Callable[[str], Report]) -> None:
    """The tag is made of a sorted list."""
    identifiers = replay("raspberry-pi-4").identifiers
    assert binding_tag(identifiers[::-1], GENESIS) == binding_tag(identifiers, GENESIS)


def test_a_virtual_machine_binds_by_its_machine_id_only(replay: Callable[[str], Report]) -> None:
    """Made-up addresses and virtual disks are the same in every clone."""
    report = replay("epyc-kvm-guest")
    assert binding_basis(report.identifiers)[0] == report.inventory.binding == "machine_id"


def test_shared_placeholders_identify_nothing() -> None:
    """Serial numbers that thousands of boards have must not bind them to one record."""
    files = {
        "sys/class/dmi/id/product_uuid": "03000200-0400-0500-0006-000700080009",
        "sys/class/dmi/id/board_serial": "Default string",
        "etc/machine-id": "uninitialized\n",
    }
    assert find_identifiers(files) == ()


def test_without_any_identifier_there_is_no_tag() -> None:
    """An empty tag would bind every such machine to the first one's record."""
    with pytest.raises(Rejection) as caught:
        binding_tag([Identifier("weak_mac", "02:00:00:00:00:01")], GENESIS)
    assert caught.value.code == "UNSUPPORTED_PLATFORM"


def test_shown_hashes_cannot_be_matched_across_reports() -> None:
    """Another salt gives another hash; the same salt the same."""
    identifier = Identifier("mac", "00:00:5e:00:00:01")
    assert salted_hash(identifier, b"a" * 32) == salted_hash(identifier, b"a" * 32)
    assert salted_hash(identifier, b"a" * 32) != salted_hash(identifier, b"b" * 32)
    assert len(salted_hash(identifier, b"a" * 32)) == 16
