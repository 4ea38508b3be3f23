"""The ledger of a run: what each format writes to it, and the share of rejects that stops the run."""

import pytest

from attribution.errors import RejectLimitError
from attribution.sources.records.model import Account, Ledger
from attribution.sources.records.rejects import Reject

REJECT = Reject("flows.log", 7, "not_an_address", "local_address='x'", "flow")


def test_the_ledger_counts_by_format_and_reason_and_passes_rejects_on():
    kept = []
    ledger = Ledger(sink=kept.append)
    ledger.reject("vpc", REJECT)
    ledger.reject("native", REJECT)
    ledger.reject("native", REJECT)
    account = Account(ledger, "vpc", {"no_data": "Nothing passed."})
    account.reject(REJECT)
    account.skip("no_data", 4)
    account.skip("no_data", -1)
    account.skip("no_data", 0)
    account.skip("empty_file", 0)
    account.passed("flow", 7)
    assert kept == [REJECT] * 4
    assert ledger.rows == {("flow", "vpc"): 7}
    assert ledger.rejected == {("vpc", "not_an_address"): 2, ("native", "not_an_address"): 2}
    assert ledger.skipped == {("vpc", "no_data"): 3}


def test_a_reason_outside_the_closed_list_is_a_mistake_of_the_format():
    with pytest.raises(ValueError, match="'odd' is no reason"):
        Ledger().reject("vpc", Reject("s", 1, "odd", "", "row"))
    account = Account(Ledger(), "vpc", {"no_data": "Nothing passed."})
    with pytest.raises(ValueError, match="the format vpc has no reason 'odd' among its skips"):
        account.skip("odd")


def test_what_a_format_keeps_is_made_once_a_run():
    ledger = Ledger()
    assert Account(ledger, "vpc", {}).kept(list) is Account(ledger, "vpc", {}).kept(list)
    assert Account(ledger, "vpc", {}).kept(list) is not Account(ledger, "zeek", {}).kept(list)
    assert ledger.memory == {"vpc": [], "zeek": []}


def ledger_of(*, kept, rejected, **options):
    ledger = Ledger(**options)
    ledger.rows["flow", "vpc"] += kept
    for number in range(rejected):
        ledger.reject("vpc", Reject("s", number + 1, "malformed" if number % 3 else "not_a_time", "what", "flow"))
    return ledger


@pytest.mark.parametrize(
    ("kept", "rejected", "share", "stops"),
    [
        (90, 10, 0.1, False),
        (89, 11, 0.1, True),
        (0, 0, 0.0, False),
        (0, 1, 0.99, True),
        (0, 5, 1.0, False),
        (999, 1, 0.0, True),
    ],
)
def test_a_run_stops_above_the_share_and_not_at_it(kept, rejected, share, stops):
    for ledger, given in ((ledger_of(kept=kept, rejected=rejected, max_rejected_share=share), ()), (
        ledger_of(kept=kept, rejected=rejected), (share,))):  # fmt: skip
        if stops:
            with pytest.raises(RejectLimitError):
                ledger.check(*given)
        else:
            ledger.check(*given)


def test_skipped_rows_are_rows():
    ledger = ledger_of(kept=10, rejected=2)
    account = Account(ledger, "vpc", {"no_data": "Nothing passed."})
    account.skip("no_data", 7)
    with pytest.raises(RejectLimitError, match=r"^2 of 19 rows were rejected \(10 read, 7 skipped\), more"):
        ledger.check()
    account.skip("no_data")
    ledger.check()


def test_evidence_that_the_rows_of_flows_are_does_not_count_again():
    ledger = Ledger()
    account = Account(ledger, "hubble", {}, "flow")
    account.passed("flow", 9)
    account.passed("heartbeat", 9)
    account.passed("name_binding", 100)
    account.reject(REJECT)
    account.reject(Reject("s", 1, "not_a_time", "", "heartbeat"))
    ledger.check()
    account.reject(Reject("s", 2, "malformed", "", "row"))
    for judged in (ledger, ledger_with(ledger)):
        with pytest.raises(RejectLimitError, match=r"^2 of 11 rows were rejected \(9 read, 0 skipped\)"):
            judged.check()
    assert ledger.rejected.total() == 3


def ledger_with(other):
    ledger = Ledger()
    ledger.add(other)
    return ledger


def test_while_it_reads_a_run_is_judged_only_once_enough_rows_were_seen():
    ledger_of(kept=0, rejected=999).check(at_least=1000)
    with pytest.raises(RejectLimitError):
        ledger_of(kept=0, rejected=1000).check(at_least=1000)


def test_the_message_counts_by_reason_with_an_example_of_each():
    with pytest.raises(RejectLimitError) as raised:
        ledger_of(kept=1, rejected=6).check()
    assert str(raised.value) == (
        "6 of 7 rows were rejected (1 read, 0 skipped), more than the allowed share of 0.1:\n"
        "  4 malformed (vpc), first line 2 of s: what\n"
        "  2 not_a_time (vpc), first line 1 of s: what\n"
        "Mend the source. If the rows were taken for what they are not, name their format with --input-format. "
        "To go on without the rejected rows, allow a larger share with --max-rejected-share"
    )
