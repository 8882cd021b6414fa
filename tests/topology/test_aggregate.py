from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

from hypothesis import given
from hypothesis import strategies as st

from netlab.topology.networks import Network
from netlab.topology.planning.aggregate import OWN, UNREACHED, Destinations

UNIVERSE = IPv4Network("10.0.0.0/24")
BASE = int(UNIVERSE.network_address)


def small() -> st.SearchStrategy[IPv4Network]:
    """A subnet of 10.0.0.0/24."""
    lengths = st.integers(26, 32)
    return st.builds(
        lambda length, at: IPv4Network((BASE + (at >> (32 - length) << (32 - length)), length)), lengths, st.integers(0, 255)
    )


def disjoint(networks: Iterable[IPv4Network]) -> list[IPv4Network]:
    kept: list[IPv4Network] = []
    for network in networks:
        if not any(network.overlaps(other) for other in kept):
            kept.append(network)
    return kept


any_subnets = st.lists(small(), unique=True, min_size=1, max_size=60)
subnets = st.one_of(any_subnets, any_subnets.map(disjoint), st.just([IPv4Network((BASE + i, 30)) for i in range(0, 256, 4)]))
labelled = subnets.flatmap(
    lambda networks: st.tuples(
        st.just(networks), st.lists(st.sampled_from([UNREACHED, OWN, 2, 2, 2, 3]), min_size=len(networks), max_size=len(networks))
    )
)


def forwarding(routes: Iterable[tuple[Network, int]]) -> list[int | None]:
    """Where each address of the universe goes: longest prefix match, and of equal ones the first."""
    found: list[int | None] = [None] * 256
    lengths = [-1] * 256
    for network, label in routes:
        first = int(network.network_address) - BASE
        for at in range(max(first, 0), min(first + network.num_addresses, 256)):
            if network.prefixlen > lengths[at]:
                found[at], lengths[at] = label, network.prefixlen
    return found


def own(networks: list[IPv4Network], labels: list[int]) -> list[tuple[Network, int]]:
    return [(network, label) for network, label in zip(networks, labels, strict=True) if label == OWN]


@given(labelled)
def test_an_aggregated_table_forwards_every_address_as_a_route_for_each_subnet_would(
    case: tuple[list[IPv4Network], list[int]],
) -> None:
    networks, labels = case
    destinations = Destinations(networks)
    connected = own(networks, labels)
    fewer, each = destinations.aggregated(labels), destinations.one_by_one(labels)
    assert forwarding(connected + fewer) == forwarding(connected + each)
    assert len(fewer) <= len(each)


@given(labelled)
def test_an_aggregated_table_covers_no_address_that_nobody_has_nor_a_connected_one(
    case: tuple[list[IPv4Network], list[int]],
) -> None:
    networks, labels = case
    routed = forwarding(Destinations(networks).aggregated(labels))
    wanted = forwarding((network, label) for network, label in zip(networks, labels, strict=True) if label > OWN)
    assert [goes is not None for goes in routed] == [goes is not None for goes in wanted]


@given(labelled, st.lists(small(), unique=True, max_size=3))
def test_further_destinations_in_the_table_are_preferred_as_they_were(
    case: tuple[list[IPv4Network], list[int]], further: list[IPv4Network]
) -> None:
    networks, labels = case
    destinations = Destinations(networks)
    rest = [(network, 9) for network in further] + own(networks, labels)
    fewer = destinations.aggregated(labels, further)
    assert forwarding(rest + fewer) == forwarding(rest + destinations.one_by_one(labels))


def test_what_lies_side_by_side_becomes_the_fewest_prefixes() -> None:
    networks = [ip_network(f"10.0.{i}.0/24") for i in (7, 6, 5, 4, 3, 2, 1, 0, 9)] + [ip_network("10.0.16.0/20")]
    labels = [2, 2, 2, 2, 2, 2, 2, 2, 2, 2]
    assert Destinations(networks).aggregated(labels) == [
        (ip_network("10.0.0.0/21"), 2),
        (ip_network("10.0.9.0/24"), 2),
        (ip_network("10.0.16.0/20"), 2),
    ]


def test_a_subnet_with_another_next_hop_splits_what_is_around_it() -> None:
    networks = [ip_network(f"fd00:0:0:{i}::/64") for i in range(4)]
    assert Destinations(networks).aggregated([2, 2, 3, OWN]) == [
        (IPv6Network("fd00::/63"), 2),
        (IPv6Network("fd00:0:0:2::/64"), 3),
    ]


def test_one_within_another_keeps_its_own_route() -> None:
    networks = [ip_network(text) for text in ("10.0.0.0/16", "10.0.7.0/24", "10.1.0.0/16")]
    assert Destinations(networks).aggregated([2, 2, 2]) == [(ip_network("10.0.0.0/15"), 2), (ip_network("10.0.7.0/24"), 2)]


def test_only_a_further_destination_within_a_prefix_splits_it() -> None:
    destinations = Destinations([ip_network(f"10.0.{i}.0/24") for i in range(8)])
    apart = [ip_network(text) for text in ("10.0.0.0/16", "10.0.8.0/24", "10.0.2.7/32")]
    assert destinations.aggregated([2, 2, 2, 2, 3, 3, 3, 3], apart[:2]) == [
        (ip_network("10.0.0.0/22"), 2),
        (ip_network("10.0.4.0/22"), 3),
    ]
    assert destinations.aggregated([2, 2, 2, 2, 3, 3, 3, 3], apart) == [
        *((ip_network(f"10.0.{i}.0/24"), 2) for i in range(4)),
        (ip_network("10.0.4.0/22"), 3),
    ]


def test_no_subnets_make_no_routes() -> None:
    assert Destinations([]).aggregated([]) == Destinations([]).one_by_one([]) == []
