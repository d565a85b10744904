"""What the DAO may decide: a proposal's actions as plain records, as calls of the timelock, and in words."""
