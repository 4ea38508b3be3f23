"""The join as Flink SQL has it: each flow with the row that its address had last, in the JVM."""

import argparse

from pyflink.table import EnvironmentSettings, TableEnvironment

KAFKA = "'connector' = 'kafka', 'properties.bootstrap.servers' = '{servers}', 'format' = 'json'"
READ = (
    KAFKA
    + ", 'topic' = '{prefix}json-{topic}', 'scan.startup.mode' = 'earliest-offset'"
    + ", 'properties.isolation.level' = 'read_committed'"
)
STATEMENTS = [
    """create table flows (
        `start` bigint, `end` bigint, local_address string, local_port int, remote_address string, remote_port int,
        protocol int, bytes_sent bigint, bytes_received bigint, local_workload string, local_service string,
        seen as to_timestamp_ltz(`start` / 1000, 3), watermark for seen as seen - interval '{delay}' second
    ) with ("""
    + READ.replace("{topic}", "flows")
    + ")",
    """create table heartbeats (
        address string, workload string, service string, `start` bigint,
        seen as to_timestamp_ltz(`start` / 1000, 3), watermark for seen as seen - interval '{delay}' second
    ) with ("""
    + READ.replace("{topic}", "heartbeats")
    + ")",
    """create view owners as select address, workload, service, seen from (
        select *, row_number() over (partition by address order by seen desc) as place from heartbeats
    ) where place = 1""",
    """create table attributed (
        `start` bigint, `end` bigint, local_address string, local_port int, remote_address string, remote_port int,
        protocol int, bytes_sent bigint, bytes_received bigint, local_workload string, local_service string,
        remote_workload string, remote_service string
    ) with ("""
    + KAFKA
    + """, 'topic' = '{prefix}json-attributed', 'sink.delivery-guarantee' = 'exactly-once',
        'sink.transactional-id-prefix' = '{prefix}sql', 'properties.transaction.timeout.ms' = '600000')""",
    """insert into attributed
        select f.`start`, f.`end`, local_address, local_port, remote_address, remote_port, protocol, bytes_sent,
               bytes_received, local_workload, local_service, o.workload, o.service
        from flows f left join owners for system_time as of f.seen as o on f.remote_address = o.address""",
]


def main() -> None:
    """Submit the join."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--bootstrap-servers", "--prefix", "--delay"):
        parser.add_argument(name, required=True)
    given = parser.parse_args()
    tables = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    for statement in STATEMENTS:
        tables.execute_sql(
            statement.replace("{servers}", given.bootstrap_servers)
            .replace("{prefix}", given.prefix)
            .replace("{delay}", given.delay)
        )


main()
