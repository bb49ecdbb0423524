"""Which addresses are public: IANA's special-purpose registries, address by address."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posegen.fetching.addresses import is_public

# "Globally Reachable: False" in the registries, and multicast, 6to4 and Teredo.
SPECIAL = [
    ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
        *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32", "168.63.129.16/32"),
        *("::/128", "::1/128", "::ffff:0:0/96", "64:ff9b:1::/48", "100::/64", "2001::/32", "2001:2::/48"),
        *("2001:10::/28", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10"),
        *("fec0::/10", "ff00::/8"),
    )
]
SPECIAL_V4 = [network for network in SPECIAL if isinstance(network, IPv4Network)]


@st.composite
def inside(draw: st.DrawFn) -> IPv4Address | IPv6Address:
    network = draw(st.sampled_from(SPECIAL))
    return network[draw(st.integers(0, network.num_addresses - 1))]


@given(inside())
def test_no_address_of_a_special_network_is_public(address: IPv4Address | IPv6Address) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("network", SPECIAL, ids=str)
def test_neither_end_of_a_special_network_is_public(network: IPv4Network | IPv6Network) -> None:
    assert not is_public(network[0])
    assert not is_public(network[-1])


@given(st.ip_addresses(v=4))
def test_every_other_ipv4_address_is_public(address: IPv4Address) -> None:
    assert is_public(address) == (not any(address in network for network in SPECIAL_V4))


@given(st.ip_addresses(v=4))
def test_what_python_calls_private_is_never_public(address: IPv4Address) -> None:
    if address.is_private or address.is_multicast or address.is_reserved or address.is_unspecified:
        assert not is_public(address)


@given(st.ip_addresses(v=6))
def test_an_ipv6_address_that_python_calls_private_is_never_public(address: IPv6Address) -> None:
    holds_another = address in IPv6Network("64:ff9b::/96")  # reserved to Python, judged as the one inside by Posegen
    if not holds_another and (not address.is_global or address.is_multicast or address.is_reserved):
        assert not is_public(address)


@given(st.ip_addresses(v=4))
def test_nat64_counts_as_the_address_that_it_holds(address: IPv4Address) -> None:
    assert is_public(IPv6Address(int(IPv6Address("64:ff9b::")) + int(address))) == is_public(address)


@given(st.ip_addresses(v=4))
def test_mapped_and_6to4_forms_are_never_public(address: IPv4Address) -> None:
    assert not is_public(IPv6Address(f"::ffff:{address}"))
    assert not is_public(IPv6Address((0x2002 << 112) | int(address) << 80))


@pytest.mark.parametrize(
    "address",
    [
        *("1.1.1.1", "93.184.216.34", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0", "192.0.1.0"),
        *("2606:4700:4700::1111", "2a00:1450:4001::8a", "2001:4860:4860::8888", "2400::", "64:ff9b::101:101"),
    ],
)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(ip_address(address))
