"""The streaming job: the same attributor as a replay's, in keyed state of a Flink cluster."""
