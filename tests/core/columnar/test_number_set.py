"""A set of numbers to which columns are added, beside Python's own dictionary."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from attribution.core.columnar.number_set import NumberSet

#: Few numbers, many of which want one slot: near 0, near the largest, and spread.
NUMBERS = st.sampled_from([*range(6), *((1 << 64) - n for n in range(1, 6)), *(n << 59 for n in range(1, 20))])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.lists(NUMBERS, max_size=30)),
        st.tuples(st.just("discard"), st.lists(NUMBERS, max_size=4)),
        st.tuples(st.just("forget"), st.integers(0, 8)),
    ),
    max_size=12,
)


@given(STEPS)
def test_a_set_says_what_a_dictionary_says(steps):
    numbers, known = NumberSet(), {}
    for moment, (step, given_) in enumerate(steps):
        if step == "add":
            new = []
            for number in (max(one, 1) for one in given_):
                new.append(number not in known)
                known.setdefault(number, moment)
            assert numbers.add(np.array(given_, np.uint64), moment).tolist() == new
        elif step == "discard":
            numbers.discard(np.array(given_, np.uint64))
            known = {number: at for number, at in known.items() if number not in {max(one, 1) for one in given_}}
        else:
            numbers.forget(given_)
            known = {number: at for number, at in known.items() if at >= given_}
        assert dict(zip(*(part.tolist() for part in numbers.items), strict=True)) == known
        assert len(numbers) == len(known)
        asked = [*range(1, 20), *((1 << 64) - n for n in range(1, 9))]
        assert numbers.has(np.array(asked, np.uint64)).tolist() == [number in known for number in asked]


def test_a_set_grows():
    rng, numbers, known = np.random.default_rng(1), NumberSet(), set()
    for _ in range(20):
        more = rng.integers(0, 20_000, 3000).astype(np.uint64) << np.uint64(49)
        assert numbers.add(more, 0).sum() == len(set(np.maximum(more, 1).tolist()) - known)
        known |= set(np.maximum(more, 1).tolist())
    assert len(numbers) == len(known)
