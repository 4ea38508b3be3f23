"""Questions over a lake: a dependency graph, the top talkers, an address's timeline, why a flow was attributed so.

A question is a function that takes a lake and gives objects. A question with its own verb, `attribution foo`, has

- its SQL, `attribution/query/WING/sql/foo.sql`; WING is a folder of questions of one kind, like `graph`;
- its function, in `attribution/query/WING/foo.py`, with a `Query` that says what the SQL stands on;
- its verb, `command` in `attribution/cli/foo.py`, and a line for the verb in `VERBS` of `attribution/cli/__init__.py`.

SQL that stands on `lake.flows.FILTERED` reads the table `filtered`: the flows of a selection, with the columns of
`schemas/attributed_flow.avsc`, and `opener`, which end opened the flow. To add a filter, see `lake.selection`.
"""
