"""What flows are evidence of: heartbeats, claims of ports, and reports that their far ends are compared with."""
