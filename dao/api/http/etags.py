"""Compares entity tags (RFC 9110), so that a caller who has an answer already gets 304 instead."""

from starlette.types import Message, Send


def has_answer(header: str, tag: str) -> bool:
    """Return whether the tags of If-None-Match have this one; they compare weakly."""
    tags = map(str.strip, header.split(","))
    return tag in {each if each.startswith("W/") else f"W/{each}" for each in tags}


def wants_none(header: str) -> bool:
    """Return whether a caller has some answer, whichever it is, and wants no other."""
    return header.strip() == "*"


async def send_not_modified(send: Send) -> None:
    """Answer that the caller has it already."""
    await send({"type": "http.response.start", "status": 304, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def wrap_send(send: Send) -> Send:
    """Wrap `send` to answer 304 in place of 200."""
    is_replaced = False

    async def send_other(message: Message) -> None:
        nonlocal is_replaced
        if message["type"] == "http.response.start" and message["status"] == 200:
            is_replaced = True
            await send_not_modified(send)
        elif not is_replaced:
            await send(message)

    return send_other
