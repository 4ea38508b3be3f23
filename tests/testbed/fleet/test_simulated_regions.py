"""Several regions in one fleet: addresses, hosts and translators of their own, and few connections between them."""

import numpy as np
import pyarrow as pa
import pytest

from attribution.errors import ConfigError
from attribution.stream.regions.region_file import read_regions
from attribution.testbed.fleet.scenarios import scenario
from attribution.testbed.fleet.simulation import simulate
from attribution.testbed.fleet.write import write


def made(*parameters):
    return simulate(scenario("small", parameters), seed=2)


def flows_of(simulation):
    return pa.Table.from_batches(list(simulation.flow_batches()))


def test_every_region_has_addresses_hosts_and_evidence_of_its_own(tmp_path):
    simulation = made("regions=3", "crossing_share=0.2", "boundary_share=0", "nat_share=1")
    write(simulation, tmp_path / "fleet")
    table = read_regions(tmp_path / "fleet" / "regions.csv")
    assert table.names == ("region-1", "region-2", "region-3")
    flows = flows_of(simulation)
    home = table.numbers(flows.column("local_address"))
    assert [table.names[number] for number in home] == flows.column("region").to_pylist()
    hosts = np.array([int(name.removeprefix("host-")) for name in flows.column("observer").to_pylist()])
    assert (hosts % 3 == home).all()
    translated = flows.column("wire_address").is_valid().to_numpy()
    assert (table.numbers(flows.column("wire_address").drop_null()) == home[translated]).all()
    assert translated.sum() > 100
    for evidence in (simulation.heartbeat_table(), simulation.assignment_table()):
        assert (table.numbers(evidence.column("address")) >= 0).all()
    away = table.numbers(flows.column("remote_address"))
    outward = (away >= 0) & (np.array(flows.column("direction").to_pylist()) == "egress")
    assert 0.1 < (home != away)[outward].mean() < 0.3
    names = simulation.name_table()
    assert (table.numbers(names.column("client_address")) >= 0).all()


def test_one_region_is_none(tmp_path):
    simulation = made("connections=1000")
    write(simulation, tmp_path / "fleet")
    assert flows_of(simulation).column("region").null_count == flows_of(simulation).num_rows
    assert not (tmp_path / "fleet" / "regions.csv").exists()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (("regions=17", "hosts=40"), "regions must be at most 16"),
        (("regions=3", "hosts=2"), "regions must be at most 16 and as many as the hosts"),
        (("regions=2", "nat_gateways=16"), "nat_gateways must be below 16"),
    ],
)
def test_more_than_there_are_addresses_for_is_refused(parameters, message):
    with pytest.raises(ConfigError, match=message):
        made(*parameters)
