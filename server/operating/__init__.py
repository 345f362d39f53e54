"""What a service needs besides its work: to be reached and left in order, probed and followed.

`ports` opens the server to the world and closes it again, `probes` say whether it lives and is
ready, `following` gives each request an id, `tracing` sends traces and metrics to a collector.
"""
