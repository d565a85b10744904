"""The errors of the project, as one tree; those in brackets stand where they are raised.

```
DaoError
├── ConfigError               a setting is missing, unknown or out of range
├── KeyFileError              a key file is absent, readable by others, or does not open
├── ChainError                the chain, or the node that speaks for it
│   ├── RpcError              no answer, a wrong answer, another chain id, a stale head
│   │   ├── (NodeError)        the chain's node answered with an error; carries its code, reason and data
│   │   ├── (Disconnected)    the connection to the chain's node ended
│   │   └── (NoMoney)         an account cannot pay for a transaction
│   ├── Reverted              a contract refused; carries its error and arguments
│   │   └── UnknownProposal   the governor has no proposal of this number
│   └── Reorged               a block that was relied on is gone
├── ContentError              content by CID
│   ├── NotFound              no source has it; carries why, and whether all of them answered
│   ├── Mismatch              the bytes are not those of the CID
│   ├── TooLarge              more bytes than the cap
│   └── (DeclinedError)       the IPFS node answered that it cannot do this
├── DecodeError               bytes that do not follow docs/protocol.md; names the tensor or field
│   └── (BadValue)            a value of an update that no decoder takes; carries where it is
├── RuleError                 well-formed, but against the rules of the protocol
│   ├── BadSignature          a signature is not the account's, or is of another message
│   ├── NoVotes               an account has too few votes for what it signed
│   ├── AlreadyVoted          an account has voted on this proposal
│   ├── NotActive             it is not the time to vote on, queue or execute a proposal
│   ├── (Unfit)               a value fits no exponent; carries its index and value
│   ├── (NotJoined)           the node is no member of the task
│   ├── (NotApproved)         the owner has not approved the app of a task
│   ├── (BudgetSpent)         another update would tell more of a site than its owner allows
│   ├── (UnusableManifest)    a result's manifest is none that goes with it
│   ├── (RoundLost)           the round ended without the Superlink's result
│   └── (TaskOver)            no further round of the task can be played
├── WireError                 between Supernode and Superlink
│   ├── Refused               the other side answered no, and why
│   │   └── (Refusal)         a call that the Superlink refuses; carries the kind of refusal
│   └── Unreachable           no answer within the limit
├── AppError                  the training app of a task
│   ├── AppCrashed            its process ended
│   └── AppTimeout            its process took longer than allowed
├── DataError                 a contributor's data; carries the row, never a value
├── LockedError               another daemon holds this home or this operator key
├── AuditError                a round could not be audited
│   ├── (Differs)             what was stated is not what chain and content say
│   └── (Missing)             a check cannot be made without something that could not be had
├── (ClusterError)            a Ray cluster cannot do a simulation's work
├── (DatabaseError)           the index's database cannot be read or written
└── (Problem)                 an answer of the API, as RFC 9457 has it
```
A message is one line: the thing, what was expected, what to do.
"""
# ruff: noqa: N818  (the leaves of the tree say what happened; their parents end in Error)


class DaoError(Exception):
    """The root: whatever goes wrong in a way that a user can act on."""

    def __init__(self, message: str) -> None:
        line = " ".join(message.split())
        if not line.isprintable():  # others' bytes may be quoted, and a terminal must not obey them
            line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
        super().__init__(line)


class ConfigError(DaoError):
    """A setting is missing, unknown or out of range."""


class KeyFileError(DaoError):
    """A key file is absent, readable by others, or does not open."""


class ChainError(DaoError):
    """The chain, or the node that speaks for it, failed."""


class RpcError(ChainError):
    """The chain's node gave no answer, a wrong one, or speaks for another chain."""


class Reverted(ChainError):
    """A contract refused a call: `error` is its name, "" where the revert had none; `arguments` are its values."""

    def __init__(self, message: str, error: str = "", arguments: tuple[object, ...] = ()) -> None:
        super().__init__(message)
        self.error = error
        self.arguments = arguments


class UnknownProposal(Reverted):
    """The governor has no proposal of this number."""


class Reorged(ChainError):
    """A block that was relied on is no longer part of the chain."""


class ContentError(DaoError):
    """Content could not be had by its CID."""


class NotFound(ContentError):
    """No source has the content; `why` is what was said of it, without its name.

    `is_certain`: every source answered; where one gave no answer, it may have it, and may be asked again.
    """

    def __init__(self, message: str, why: str = "", *, is_certain: bool = True) -> None:
        super().__init__(message)
        self.why, self.is_certain = why or str(self), is_certain


class Mismatch(ContentError):
    """A source sent bytes that are not those of the CID."""


class TooLarge(ContentError):
    """The content has more bytes than the cap."""


class DecodeError(DaoError):
    """Bytes do not follow the formats of docs/protocol.md; the message names the tensor or field."""


class RuleError(DaoError):
    """A well-formed thing is against the rules of the protocol."""


class BadSignature(RuleError):
    """A signature is not the account's, or is of another message."""


class NoVotes(RuleError):
    """An account has too few votes for what it signed."""


class AlreadyVoted(RuleError):
    """An account has voted on this proposal, and a vote is final."""


class NotActive(RuleError):
    """It is not the time to vote on, queue or execute a proposal."""


class WireError(DaoError):
    """A call between a Supernode and a Superlink failed."""


class Refused(WireError):
    """The other side answered no."""


class Unreachable(WireError):
    """The other side gave no answer within the limit."""


class AppError(DaoError):
    """The training app of a task failed."""


class AppCrashed(AppError):
    """The app's process ended."""


class AppTimeout(AppError):
    """The app's process took longer than allowed."""


class DataError(DaoError):
    """A contributor's data are not what a task asks for: `row` where it is one row's, else 0. Values stand in no message."""

    def __init__(self, message: str, row: int = 0) -> None:
        super().__init__(message)
        self.row = row


class LockedError(DaoError):
    """Another daemon holds this home or this operator key."""


class AuditError(DaoError):
    """A round could not be audited."""
