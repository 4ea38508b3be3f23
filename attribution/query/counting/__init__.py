"""Which reports count: traffic that several observers report is counted once."""
