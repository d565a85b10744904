"""The network over HTTP: reads of the index, sign-in, drafts, and votes and proposals relayed without gas.

`daemon` assembles the parts (`dependencies`), `application` the routes (`routes`, with their `models`) and what is
around them (`http`). `relay` sends what members sign, `live` publishes changes, `auth` keeps sessions.
"""
