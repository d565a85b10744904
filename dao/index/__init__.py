"""An index of the chain's events in a database, for the API to read.

From an event to rows: `indexer` reads blocks, `reducer` has a table of events and calls the function that changes rows
(`*_reducer`) in a `unit_of_work`, `writer` stores its rows (`rows`) in tables (`schema`), and readers get
`change_notices`. From rows to an answer: `reads` has a class of queries for each subject, which return `reads.records`.
"""
