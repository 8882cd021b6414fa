"""The types of an address and a subnet of either family; it knows nothing else."""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network

Address = IPv4Address | IPv6Address
"""An address."""

Network = IPv4Network | IPv6Network
"""A subnet."""

Interface = IPv4Interface | IPv6Interface
"""An address with its prefix length."""
