"""Governance: a proposal's actions as records, as calls of the timelock, as JSON and in words; drafts and signatures."""
