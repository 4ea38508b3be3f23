"""The file of the regions."""

import pyarrow as pa
import pytest

from attribution.config import Settings
from attribution.core.addressing.place_book import AskedPlaces
from attribution.errors import ConfigError
from attribution.stream.regions.region_file import read_regions


def test_columns_stand_in_any_order_beside_others_and_comments(tmp_path):
    path = tmp_path / "regions.csv"
    path.write_text(
        "\ufeff# ours\nregion, name, prefix\n\neast, x, 10.1.0.0/16 # offices\nwest,,fd00:1::/32\neast,,10.1.0.0/16\n"
    )
    found = read_regions(path)
    assert found.names == ("east", "west")
    assert found.numbers(pa.array(["10.1.9.9", "fd00:1::1", "10.2.0.1"])).tolist() == [0, 1, -1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must name the columns prefix and region, found nothing"),
        ("10.0.0.0/8,east\n", "found 10.0.0.0/8,east"),
        ('prefix,region\n"10.0.0.0/8,east\n10.0.0.0/9,west\n', "a quotation mark is not closed on its line"),
        (f"prefix,region\n10.0.0.0/8,{'x' * 200_000}\n", "field larger than field limit"),
        ("prefix,region\n10.0.0.1/8,east\n", "line 2: '10.0.0.1/8' is no prefix"),
        ("prefix,region\n# one\n10.0.0.0/8\n", "line 3: '' cannot name a region"),
        ("prefix,region\n10.0.0.0/8,a b\n", "line 2: 'a b' cannot name a region"),
        ("prefix,region\n10.0.0.0/8,east\n10.0.0.0/8,west\n", "line 3: 10.0.0.0/8 is of west here and of east above"),
        (
            "prefix,region,network\n10.0.0.0/8,east,a\n10.0.0.0/8,west,\n10.0.0.0/8,west,a\n",
            "line 4: 10.0.0.0/8 in a is of west here and of east above",
        ),
    ],
)
def test_one_wrong_line_refuses_the_file_and_is_named(tmp_path, text, message):
    path = tmp_path / "regions.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_regions(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read the regions .*absent.csv: No such file"):
        read_regions(tmp_path / "absent.csv")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="no text in UTF-8"):
        read_regions(tmp_path / "binary")


def test_a_prefix_may_be_of_one_network_only(tmp_path):
    path = tmp_path / "regions.csv"
    path.write_text("prefix,network,region\n10.0.0.0/8,vpc-e,east\n10.0.0.0/8,vpc-w,west\n10.9.0.0/16,,west\n")
    table = read_regions(path)
    asked = AskedPlaces.of_view(pa.array(["10.0.0.1", "10.0.0.1", "10.9.0.1"]), pa.array(["vpc-e", "vpc-w", "vpc-e"]))
    assert [table.names[number] for number in table.numbers(asked)] == ["east", "west", "west"]
    with pytest.raises(ConfigError, match=r"line 2: 10\.0\.0\.0/8 is of network 'vpc-e', but `one_space` says"):
        read_regions(path, Settings(one_space=True))
