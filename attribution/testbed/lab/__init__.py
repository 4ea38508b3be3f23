"""A lab that is real, on loopback: DNS answers by policy, servers on every address of a pool, clients, what happened.

    names.py policies.py rules.py scenarios.py     what is played: pure, no sockets
    dns_service.py dns_server.py resolver.py       names to addresses, over UDP and TCP,
    stub.py cache.py                               and who asks for them
    listeners.py sk_lookup.py bpf/                 sockets that accept on every address,
    namespace.py ports.py acceptor.py              and where they are
    web.py clients.py certificates.py              HTTPS between them
    run.py                                         one run, bounded in time
    journal.py record.py truth.py                  what happened, and its files
    load.py comparison.py figure.py                how evenly a pool is loaded, and the picture of it

It needs the extra `lab`; nothing outside of this package and its verb imports it.
"""

from attribution.errors import AttributionError


class LabError(AttributionError):
    """The lab cannot be set up or run here, or was asked for something that it does not have."""
