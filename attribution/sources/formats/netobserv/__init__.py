"""NetObserv flow records."""
