"""DNS answers of dnstap and Route 53 Resolver logs."""
