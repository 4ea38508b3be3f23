"""What answers for an endpoint that is no workload: socket rules, assignment events, labels, policies."""
