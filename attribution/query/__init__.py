"""Questions over a lake: a dependency graph, the top talkers, an address's timeline, why a flow was attributed so.

A wing asks questions of one kind. A question is a function that takes a lake and gives objects. Its SQL lies in the
folder `sql` beside it, and a `lake.query.Query` in the module that asks says which other queries the SQL reads.
"""
