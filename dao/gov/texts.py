"""The longest texts of proposals and votes, in bytes of UTF-8: the chain's price goes by bytes, not by characters."""

from dao.errors import DecodeError

TITLE_BYTES = 400
DESCRIPTION_BYTES = 15_000  # without the title
PROPOSAL_BYTES = 16_000  # title and description, as they stand on chain
REASON_BYTES = 2_000


def check_size(name: str, text: str, limit: int) -> None:
    """Raise DecodeError where a text is longer than `limit` bytes; `name` is what people call it."""
    size = len(text.encode())
    if size > limit:
        raise DecodeError(
            f"{name}: expected at most {limit} bytes of UTF-8, got {size} in {len(text)} characters"
        )
