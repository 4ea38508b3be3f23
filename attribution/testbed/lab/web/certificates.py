"""An authority of the lab's own and its certificates, in memory, and the names that each certificate covers."""

import ssl
from collections.abc import Callable
from typing import Any, Final

import trustme

from attribution.testbed.lab.dns.names import ACCOUNT_TYPES, TOP_LEVEL, zone_of

#: Zones that one certificate covers together: connections to names in them may be shared. Enterprises have their own.
_TOGETHER: Final = [
    [account for account in ACCOUNT_TYPES if account != "enterprise"],
    ["enterprise"],
]


class Certificates:
    """An authority, and one certificate for each group of zones."""

    def __init__(self) -> None:
        self._authority = trustme.CA(organization_name="attribution lab")
        self._groups = [[f"{account}.{TOP_LEVEL}" for account in group] for group in _TOGETHER]
        self._issued = [self._authority.issue_cert(*(f"*.{zone}" for zone in group)) for group in self._groups]

    def server_context(self, seen: Callable[[ssl.SSLObject, str], None]) -> ssl.SSLContext:
        """The TLS context of servers: it picks the certificate that covers the name of the handshake (SNI).

        Args:
            seen: Called with each connection and the name of its handshake.
        """
        contexts: dict[str, ssl.SSLContext] = {}
        for group, issued in zip(self._groups, self._issued, strict=True):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            issued.configure_cert(context)
            contexts |= dict.fromkeys(group, context)

        def choose(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
            context = contexts.get(zone_of((name or "").lower()))
            if context is None or name is None:
                return int(ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)
            connection.context = context
            seen(connection, name.lower())
            return None

        first = contexts[self._groups[0][0]]
        first.sni_callback = choose
        return first

    def together(self, one: str, other: str) -> bool:
        """Whether one certificate covers both names."""
        return any(zone_of(one) in group and zone_of(other) in group for group in self._groups)

    def client_context(self) -> ssl.SSLContext:
        """The TLS context of clients: they trust this authority alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._authority.configure_trust(context)
        return context


def covers(certificate: dict[str, Any], hostname: str) -> bool:
    """Whether a peer's certificate, as `getpeercert` gives it, covers this name.

    A wildcard stands for one label (RFC 6125).
    """
    names = {value.lower() for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"}
    return hostname in names or f"*.{zone_of(hostname)}" in names
