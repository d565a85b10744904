"""Training apps as content and as processes: `process` and `*_client` are the daemon's ends, `worker` and `*_worker` the child's.

Imports nothing: workers start fast.
"""
