"""The form of a proposal: it follows the API's own description, and the API takes what it makes of every kind."""

import json
import re

import pytest
from playwright.async_api import Browser, Route, expect

from tests.api.stage import Stage
from tests.web.reader import reading

# fills the form of each kind, and returns what the API says against it
_REFUSED = """async () => {
  const load = (name) => import(`/js/${name}.js`);
  const [{ KINDS }, { listGroups, readFields }, { readSchema }, { post }] =
    await Promise.all(["forms/kinds", "forms/fields", "forms/schema", "api"].map(load));
  const schema = await readSchema();
  const texts = { tokens: "1", duration: "1 h", count: "1", task: "1", yes: "yes", choice: "int8", finding: "right",
    address: `0x${"11".repeat(20)}`, digest: `0x${"22".repeat(32)}`, digests: `0x${"33".repeat(32)} `.repeat(16) };
  const fill = (action) => {
    const fields = listGroups(action, schema).flatMap((group) => group.fields);
    return Object.fromEntries(fields.map(({ name, type }) => [name, texts[type]]));
  };
  const rules = fill({ kind: "create_task", values: {} });
  const refused = [];
  for (const kind of Object.keys(KINDS)) {
    const values = { ...rules, ...fill({ kind, values: { task: "1" } }) };
    const { fields, missing = [] } = readFields({ kind, values }, schema);
    refused.push(...missing);
    const draft = { title: kind, description: "", actions: [{ kind, fields }] };
    await post("drafts/preview", draft).catch((problem) => refused.push(problem.message));
  }
  return [Object.keys(KINDS).length, refused];
}"""

pytestmark = pytest.mark.asyncio(loop_scope="session")  # the browser is all tests'


async def test_forms__of_every_kind__make_what_the_api_takes(stage: Stage, browser: Browser) -> None:
    async with stage.open() as running, reading(browser, running) as reader:
        kinds, refused = await reader.page.evaluate(_REFUSED)
        assert refused == []
        assert kinds == 20


async def test_forms__another_description__have_its_rules_types_and_limits(
    stage: Stage, browser: Browser
) -> None:
    async def change(route: Route) -> None:
        description = await (await route.fetch()).json()
        schemas = description["components"]["schemas"]
        rules = schemas["TaskRules"]["properties"]
        del rules["body_depth"]
        rules["noise_period_seconds"] = {"type": "integer"}
        schemas["Codec"]["enum"].append("topk")
        schemas["DraftForm"]["properties"]["title"]["maxLength"] = 5
        schemas["DraftForm"]["properties"]["actions"]["maxItems"] = 1
        await route.fulfill(body=json.dumps(description), content_type="application/json")

    async with stage.open() as running, reading(browser, running) as reader:
        page = reader.page
        await page.route("**/openapi.json", change)
        await reader.follow("Propose")
        await page.get_by_label("Kind of action").select_option("Create a task")
        await expect(page.get_by_label("Depth of the body tree")).to_have_count(0)
        other = page.get_by_label("noise period")
        await other.fill("two hours")
        await expect(page.get_by_text("Expected such as 90 s, 10 min")).to_be_visible()
        await other.fill("2 h")
        await expect(page.get_by_text("2 h (7200 seconds)")).to_be_visible()
        await page.get_by_label("Codec of updates").select_option("topk")
        await page.get_by_label("Title").press_sequentially("Longer")
        await expect(page.get_by_label("Title")).to_have_value("Longe")
        await expect(reader.button("Add another action")).to_have_count(0)
        await expect(reader.button("Start anew")).to_be_visible()


async def test_draft__from_a_template__is_plain_and_replaces_what_was_typed_only_when_told(
    stage: Stage, browser: Browser
) -> None:
    async with stage.open() as running, reading(browser, running) as reader:
        page = reader.page
        await reader.follow("Propose")
        kind, why = page.get_by_label("Kind of action"), page.get_by_label("Why")
        await expect(kind).to_have_value("grant")
        await page.get_by_label("Begin with").select_option("a decision on a challenged result")
        await expect(kind).to_have_value("resolve")
        await expect(why).to_have_value(re.compile("What an audit shows"))
        await expect(page.get_by_label("The result is")).to_have_value("")  # neither way
        await page.get_by_label("Title").fill("Mine")
        await page.get_by_label("Begin with").select_option("a grant")
        await expect(reader.dialog.get_by_role("heading")).to_have_text("Replace what you typed?")
        await reader.dialog.get_by_role("button", name="Cancel").click()
        await expect(page.get_by_label("Title")).to_have_value("Mine")
        await expect(kind).to_have_value("resolve")
        await page.get_by_label("Begin with").select_option("a grant")
        await reader.agree("Replace what you typed?")
        await expect(kind).to_have_value("grant")
        await expect(page.get_by_label("Title")).to_have_value("")


async def test_draft__from_a_file__fills_the_form_or_says_what_is_wrong(
    stage: Stage, browser: Browser
) -> None:
    grant = {"kind": "grant", "fields": {"to": f"0x{'11' * 20}", "amount_wei": "2500000000000000000"}}
    quorum = {"kind": "set_quorum", "fields": {"percent": 5}}
    async with stage.open() as running, reading(browser, running) as reader:
        page = reader.page
        await reader.follow("Propose")

        async def choose(content: object) -> None:
            text = content if isinstance(content, str) else json.dumps(content)
            file = {"name": "draft.json", "mimeType": "application/json", "buffer": text.encode()}
            await page.get_by_label("or with a file").set_input_files(file)  # type: ignore[arg-type]

        for content, said in (
            ("{", "The file is no JSON."),
            ({"title": "Nothing"}, "The file has no proposal"),
            ({"actions": [{"kind": "approve", "fields": {}}]}, "Action 1: “approve” has no form here"),
            (
                {"actions": [grant, {"kind": "fund", "fields": {"to": "x"}}]},
                "Action 2: its fields are not those of",
            ),
        ):
            await choose(content)
            await expect(page.get_by_text(said)).to_be_visible()
        await choose({"title": "From a file", "description": "Why", "actions": [grant, quorum]})
        await expect(page.get_by_label("Title")).to_have_value("From a file")
        await expect(page.get_by_label("Amount", exact=True)).to_have_value("2.5")
        await expect(page.get_by_label("Percent of the supply")).to_have_value("5")
        await expect(page.get_by_role("region", name="What would be executed")).to_contain_text(
            "Pay 2.5 tokens"
        )
        await expect(page.get_by_text("its fields are not those of")).to_be_hidden()
