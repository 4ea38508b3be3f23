"""A seeded fleet with the truth, what event-based attribution makes of it, and the evaluation against the truth."""
