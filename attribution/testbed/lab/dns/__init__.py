"""DNS by policy: names, policies, authoritative server, caching resolver, stub."""
