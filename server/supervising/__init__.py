"""All cores of one machine: several server processes on one port, and one that looks after them.

`supervisor` starts the processes (nodes, to each other), starts one that died again, and stops them
in order; `port` keeps their address; `worker` is one of them.
"""
