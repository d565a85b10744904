"""Typed reads of the index, which need neither the chain nor its node."""

from dao.index.reads.cards import CardReads
from dao.index.reads.cases import CaseReads
from dao.index.reads.decisions import DecisionReads
from dao.index.reads.earnings import EarningReads
from dao.index.reads.feed import FeedReads
from dao.index.reads.holdings import HoldingReads
from dao.index.reads.supernodes import SupernodeReads
from dao.index.reads.training import TrainingReads


class Reads(
    TrainingReads,
    SupernodeReads,
    HoldingReads,
    DecisionReads,
    CaseReads,
    CardReads,
    EarningReads,
    FeedReads,
):
    """All reads of one database; Reader says what holds for each."""
