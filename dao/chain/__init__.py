"""The chain as Python sees it: signing, reads that name their block, events without gaps, transactions that arrive."""

from dao.runtime.late_modules import put_off_bls

put_off_bls()
