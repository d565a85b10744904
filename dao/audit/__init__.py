"""The audit of a round: everything that its Superlink stated is computed again, from chain and content alone."""

from dao.audit.auditor import audit
from dao.audit.findings import Check, Outcome, exit_code

__all__ = ["Check", "Outcome", "audit", "exit_code"]
