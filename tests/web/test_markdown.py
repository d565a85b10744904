"""Markdown in proposals' texts: what is drawn of it, and what stays text whatever a stranger writes."""

import pytest
from playwright.async_api import Browser, expect

from tests.api.stage import Stage
from tests.web.decisions import propose
from tests.web.reader import reading

pytestmark = pytest.mark.asyncio(loop_scope="session")  # the browser is all tests'
TEXT = """# A budget

Nodes at **Ghent** and *Lyon*: see [our bank](https://xn--bnk-yna.example/a?b=1) and https://plain.example/x.

## Why

- `dao audit`
- snake_case_stays, 2*3*4

1. vote

> as we said

```
<b>code</b>
```

![spy](https://evil.example/pixel.png) <img src=x onerror=alert(1)>
[one](javascript:alert(1)) [two](http://plain.example) [three](https://user:pass@evil.example) [four](data:text/html,x)
"""


async def test_markdown__of_a_stranger__is_drawn_without_html_images_or_hidden_links(
    own_stage: Stage, browser: Browser
) -> None:
    number = await propose(own_stage, TEXT)
    async with own_stage.open() as running, reading(browser, running) as reader:
        await reader.go(f"proposals/{number}")
        prose = reader.page.locator(".prose")
        for selector, said in (
            ("strong", "Ghent"),
            ("em", "Lyon"),
            ("h3", "Why"),
            ("ul li code", "dao audit"),
            ("ol li", "vote"),
            ("blockquote", "as we said"),
            ("pre code", "<b>code</b>"),
        ):
            await expect(prose.locator(selector)).to_have_text(said)
        for said in (
            "our bank (https://xn--bnk-yna.example/a?b=1)",
            "snake_case_stays, 2*3*4",
            "![spy](https://evil.example/pixel.png) <img src=x onerror=alert(1)>",
            "[one](javascript:alert(1))",
            "[two](http://plain.example)",
            "[three](https://user:pass@evil.example)",
            "[four](data:text/html,x)",
        ):
            await expect(prose).to_contain_text(said)
        links = await prose.locator("a").all()
        assert [await link.get_attribute("href") for link in links] == [
            "https://xn--bnk-yna.example/a?b=1",
            "https://plain.example/x",
        ]
        assert all([await link.get_attribute("rel") == "noopener noreferrer nofollow" for link in links])
        assert await prose.locator("img, script, b").count() == 0
        course = reader.page.get_by_role("region", name="Course")
        for said in ("It was proposed by", "Voting opened.", "Voting ends."):
            await expect(course).to_contain_text(said)
