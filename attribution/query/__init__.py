"""Questions over a lake: a dependency graph, the top talkers, an address's timeline, why a flow was attributed so.

Each question is SQL in a file of its own under `sql/`, asked by `session.LakeSession` through DuckDB.
"""
