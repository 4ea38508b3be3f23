"""Addressing by policy on real sockets of loopback: DNS answers, services, clients, and a record of what happened.

    scenarios.py                        what is played, how long and by whom
    run.py                              one run: servers, resolvers and clients, bounded in time
    journal.py record.py truth.py       what happened, and the files of it
    load.py comparison.py figure.py     how evenly the addresses of a pool are loaded, and the picture of it

    dns/names.py policies.py            the names, and which policy gives which addresses: pure, no sockets
    dns/service.py server.py            authoritative answers over UDP and TCP
    dns/resolver.py cache.py stub.py    a shared resolver, and the queries of resolver and clients

    sockets/rules.py                    which service gets a connection: pure, no sockets
    sockets/listeners.py acceptor.py    sockets that accept on every address,
    sockets/sk_lookup.py bpf/           by a program in the kernel if that can be had,
    sockets/namespace.py ports.py       in a network of their own, on ports that are free

    web/server.py clients.py            HTTPS between clients and services
    web/certificates.py                 one authority, a certificate for each group of zones

It needs the extra `lab`; nothing outside of this package and its verb imports it.
"""

from attribution.errors import AttributionError


class LabError(AttributionError):
    """The lab cannot be set up or run on this machine, or does not have what was asked for."""
