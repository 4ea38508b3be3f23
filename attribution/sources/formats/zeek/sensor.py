"""Where Zeek saw what a row of any of its logs says: the sensor, and the VLAN."""

import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.dictionaries import one_array
from attribution.core.columnar.types import Column
from attribution.sources.records.network_names import numbered, within
from attribution.sources.records.raw_columns import no_empty, null_where, text

#: The sensor, and the VLANs: logged by `policy/protocols/conn/vlan-logging`, and with the addresses in all logs that
#: have any, if `policy/frameworks/conn_key/vlan_fivetuple` tells connections apart by VLAN.
WHERE: dict[str, pa.DataType] = {
    "_system_name": pa.string(),
    "peer": pa.string(),
    "vlan": pa.int64(),
    "inner_vlan": pa.int64(),
    "id.ctx.vlan": pa.int64(),
    "id.ctx.inner_vlan": pa.int64(),
}


def sensor_of(columns: dict[str, Column]) -> Column:
    """The sensor that wrote each row, null where the log does not name it."""
    return pc.coalesce(*(no_empty(columns[name]) for name in ("_system_name", "peer")))


def network_of(columns: dict[str, Column]) -> Column:
    """The VLAN that the sensor saw: `sensor/vlan-10`, with an inner one `sensor/vlan-10.20`; null where there is none.

    The sensor is left out where the log does not name it. VLAN 0 is none: its tag carries a priority alone.
    """
    tags = [columns[name] for name in WHERE if name.endswith("vlan")]
    if all(tag.null_count == len(tag) for tag in tags):
        return pa.nulls(len(tags[0]), pa.string())
    outer, inner = (
        one_array(pc.coalesce(text(columns[name]), text(columns[f"id.ctx.{name}"]))) for name in ("vlan", "inner_vlan")
    )
    tagged = pc.or_(pc.fill_null(pc.not_equal(outer, "0"), False), pc.is_valid(inner))
    if not pc.any(tagged).as_py():
        return pa.nulls(len(outer), pa.string())
    both = pc.binary_join_element_wise(pc.fill_null(outer, "0"), inner, ".")
    vlan = numbered("vlan", pc.coalesce(both, outer))
    return null_where(pc.invert(tagged), within(sensor_of(columns), vlan))
