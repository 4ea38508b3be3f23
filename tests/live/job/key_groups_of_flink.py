"""Write Flink's own key groups and workers, as JSON, for a JSON list of questions on standard input.

A question is (key, number of key groups, parallelism); its answer is (key group, worker) of a row of key and content.
"""

import json
import sys

from pyflink.java_gateway import get_gateway

jvm = get_gateway().jvm
assignment = jvm.org.apache.flink.runtime.state.KeyGroupRangeAssignment
selector = jvm.KeyByKeySelector()
answers = []
for key, groups, parallelism in json.load(sys.stdin):
    row = jvm.org.apache.flink.types.Row(2)
    row.setField(0, key)
    group = assignment.assignToKeyGroup(selector.getKey(row), groups)
    answers.append((group, assignment.computeOperatorIndexForKeyGroup(groups, parallelism, group)))
sys.stdout.write(json.dumps(answers) + "\n")
