"""Errors of the package. Each message says what was attempted, on what, what was found, and what to do."""


class AttributionError(Exception):
    """Base of every error that this package raises on purpose; the command line prints it without a traceback."""


class SchemaError(AttributionError):
    """A file of `schemas/` defines a record in a way that the package does not support."""


class SourceError(AttributionError):
    """A source cannot be read at all: no such file, no known format, nothing in the folder, not readable."""


class RejectLimitError(AttributionError):
    """More rows were rejected than the configured share allows."""


class LakeError(AttributionError):
    """A lake cannot be written or read: not a lake, half of one, no room left."""


class ConfigError(AttributionError):
    """A setting is unknown, of the wrong type, or outside its bounds."""


class QueryError(AttributionError):
    """A question cannot be answered as asked: an unknown filter, a time that cannot be read, no such flow."""


class BadValueError(QueryError):
    """A value of a question cannot be read, or is outside its bounds, whatever the lake holds."""


class WireError(AttributionError):
    """A record cannot be sent through a topic."""


class ClusterError(AttributionError):
    """A broker or a Flink cluster cannot be started, does not answer, or refuses what it was asked."""


class BrokerError(AttributionError):
    """Kafka cannot be reached, refuses, or has not what is needed; or its client is not installed."""
