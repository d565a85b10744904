"""What an operator reads about its round: one plain sentence for what its update counted, one for what it earned."""

from dao.core.types import MicroScore, PassReason, Status, Wei

ABSENT = "neither a commit nor a pass arrived while commits were open, at the Superlink or on chain"
LATE = "your update was not there whole when the reveal period ended"
WITHHELD = "your update was not revealed, neither to the Superlink nor on chain"
UNAVAILABLE = "your update was revealed on chain, but no source had its content; keep it pinned where others can reach it"
UNHEARD = "your stake is too small a part of the round's stake to weigh one unit"
NO_RESULT = "the round was aborted: no result came in time"


def explain_no_closing(quorum: int) -> str:
    """Why a round ended before anyone could reveal."""
    return (
        "the round was aborted: its commits were not closed in time; "
        f"fewer came than the quorum of {quorum}, or the Superlink was away"
    )


def format_millionths(micros: int) -> str:
    """Write millionths as people do: 0.001, -0.000312, 2."""
    whole, part = divmod(abs(micros), 10**6)
    text = f"{whole}.{part:06d}".rstrip("0").rstrip(".")
    return "-" + text if micros < 0 else text


def format_tokens(wei: int) -> str:
    """Write wei as whole tokens, exactly and without zeros at the end."""
    whole, part = divmod(abs(wei), 10**18)
    digits = f"{whole}.{part:018}".rstrip("0").rstrip(".")
    return f"-{digits}" if wei < 0 else digits


def explain_pass(reason: PassReason) -> str:
    """Why a node sat a round out, in its own words."""
    return f"the node passed this round: {reason}"


def explain_failure(status: Status, detail: str) -> str:
    """Why a commit has no weight at all (one of FAILED); `detail` says what was wrong, if known."""
    if status is Status.INVALID:
        return f"your update is not valid: {detail}"
    sentence = {Status.LATE: LATE, Status.UNAVAILABLE: UNAVAILABLE}.get(status, WITHHELD)
    return f"{sentence}; a reveal was refused: {detail}" if detail else sentence


def explain_stake(stake: Wei, minimum: Wei) -> str:
    """Say in what an update is not valid whose node had too little stake."""
    return f"the stake was {stake} wei when the round opened, the task asks for at least {minimum}; add stake"


def explain_weight(
    status: Status, unit_weight: int, weight: int, cosine: int, memory: int, needed: int
) -> str:
    """How an update counted (`ok`, `clipped`, `gated`); cosine, memory and the threshold in millionths."""
    if status is Status.GATED:
        remembered = "" if memory == cosine else f", {format_millionths(memory)} with earlier rounds"
        return (
            "your update did not point where the validation data points: "
            f"cosine {format_millionths(cosine)}{remembered}, needed more than {format_millionths(needed)}; "
            "an update without real training looks like this"
        )
    if unit_weight == 0:
        return UNHEARD
    if status is Status.CLIPPED:
        percent = format_millionths(weight * 10**8 // unit_weight // 10**4 * 10**4)
        return f"your update was larger than the median, so it counted {percent}% of its weight"
    return "your update counted in full"


def explain_pay(score: MicroScore, share: MicroScore, owed: MicroScore, debt: MicroScore, reward: Wei) -> str:
    """What a score brought an owner that owed `owed` before the round and owes `debt` after it."""
    if reward > 0:
        repaid = f" after {format_millionths(owed)} of it paid off your debt" if owed else ""
        return f"you earned your part of the budget for a score of {format_millionths(score)}{repaid}"
    if share > 0:
        return f"your share of {format_millionths(share)} is worth less than 1 wei of the round's budget"
    if score > 0 and debt == 0:
        return f"score of {format_millionths(score)} paid off the last of your debt; the next one earns"
    if score > 0:
        return f"score of {format_millionths(score)} paid off debt, {format_millionths(debt)} of it is left to pay off first"
    if score < 0:
        return f"score of {format_millionths(score)} is a debt, now {format_millionths(debt)}, that later scores pay off first"
    return "you earned nothing because the score was not positive"
