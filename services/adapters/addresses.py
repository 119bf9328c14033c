"""Addresses that nothing is fetched from: those of cloud metadata services, which hand out a machine's credentials."""

from __future__ import annotations

import ipaddress
import re
import socket
import unicodedata
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote, urlsplit

_METADATA: Final = frozenset(
    map(
        ipaddress.ip_address,
        (
            # AWS, and after it Azure, Google, Oracle, IBM, DigitalOcean, Hetzner, OpenStack:
            # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
            "169.254.169.254",
            "fd00:ec2::254",
            "fe80::a9fe:a9fe",  # https://docs.openstack.org/nova/latest/user/metadata.html
            # AWS's resolver: https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html
            "169.254.169.253",
            "fd00:ec2::253",
            "169.254.170.2",  # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
            "169.254.170.23",  # https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html
            "fd00:ec2::23",
            "168.63.129.16",  # https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
            "100.100.100.200",  # https://www.alibabacloud.com/help/ecs/user-guide/view-instance-metadata
            "fd20:ce::254",  # https://cloud.google.com/compute/docs/metadata/querying-metadata
            "192.0.0.192",  # https://docs.oracle.com/iaas/Content/Compute/Tasks/gettingmetadata.htm
            "169.254.42.42",  # https://www.scaleway.com/en/docs/instances/how-to/use-cloud-init/
            "fd00:42::42",
            "169.254.0.23",  # https://www.tencentcloud.com/document/product/213/4934
        ),
    )
)
_METADATA_HOSTS: Final = frozenset(
    {
        "metadata",
        "metadata.google.internal",
        "metadata.goog",
        "instance-data",
        "instance-data.ec2.internal",
        "metadata.azure.internal",
        "metadata.tencentyun.com",
        "metadata.platformequinix.com",
        "metadata.packet.net",
        "api.metadata.cloud.ibm.com",
        "rancher-metadata",
    }
)
_LOW_32: Final = 0xFFFF_FFFF
# Prefixes of IPv6 addresses whose last 32 bits are an IPv4 address: mapped and translated (RFC 2765), compatible
# (RFC 4291), NAT64 (RFC 6052, RFC 8215).
_ENDS_IN_IPV4: Final = tuple(
    map(ipaddress.IPv6Network, ("::ffff:0:0/96", "::ffff:0:0:0/96", "::/96", "64:ff9b::/96", "64:ff9b:1::/48"))
)
_ISATAP: Final = frozenset({0x0000_5EFE, 0x0200_5EFE})  # RFC 5214
# Full stops of other scripts, and characters that a host name loses: soft hyphen, zero-width ones, byte order mark.
_HOST_CHARACTERS: Final = {0x3002: ".", 0xFF61: ".", **dict.fromkeys((0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF))}
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def is_metadata_address(host: str) -> bool:
    """Whether `host`, a numeric address, belongs to a cloud's metadata service, also where IPv6 embeds it."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if address in _METADATA:
        return True
    return isinstance(address, ipaddress.IPv6Address) and any(each in _METADATA for each in _embedded(address))


def media_url_problem(url: str, kind: str = "image") -> str:
    """What is wrong with the address of an image or document that a client sent; "" where nothing is.

    The text follows the name of the field; `kind` is the first half of the media types that may stand there.
    A `data:` URL is none of these addresses: the caller checks it.
    A host name is not resolved: the provider fetches the address, not Oxide.
    """
    if _CONTROL.search(url) or "\\" in url.partition("?")[0]:
        return "must not hold control characters or backslashes: percent-encode them"
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return "is not a URL: write it like https://example.org/picture.png"
    if parts.scheme not in ("http", "https") or not host:
        return f"must be an http(s) address or data:{kind}/...;base64,..."
    if "@" in parts.netloc:
        return "must not hold a user name or password: use an address that needs none"
    if re.search(r"\s", parts.netloc):
        return "must not hold blanks in its host name: remove them"
    if is_metadata_host(host):
        return "names a cloud metadata service, which is never fetched: use another address"
    return ""


def is_metadata_host(host: str) -> bool:
    """The same for a host as it stands in a URL: a name, or an address in any spelling."""
    # Browsers and HTTP clients decode and normalise a host before they look it up:
    # https://url.spec.whatwg.org/#concept-host-parser, https://www.unicode.org/reports/tr46/
    name = unicodedata.normalize("NFKC", unquote(host).translate(_HOST_CHARACTERS)).lower().rstrip(".")
    if name in _METADATA_HOSTS:
        return True
    try:
        return is_metadata_address(name)
    except ValueError:
        pass
    try:
        # 2852039166, 0xa9fea9fe, 0251.0376.0251.0376, 169.254.43518: all that resolvers take for a number.
        return is_metadata_address(socket.inet_ntoa(socket.inet_aton(name)))
    except (OSError, ValueError):  # it is a name; ValueError: one beyond ASCII, or with NUL in it
        return False


def _embedded(address: ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    number = int(address)
    if any(address in network for network in _ENDS_IN_IPV4) or number >> 32 & _LOW_32 in _ISATAP:
        yield ipaddress.IPv4Address(number & _LOW_32)
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
