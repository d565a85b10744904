"""Proofs that a result is wrong, as the provers on chain take them: docs/disputes.md has their bytes."""
