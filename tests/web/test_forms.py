"""The form of a proposal: it follows the API's own description, and the API takes what it makes of every kind."""

import json

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
  const texts = { tokens: "1", duration: "1 h", count: "1", task: "1", yes: "yes", choice: "int8",
    address: `0x${"11".repeat(20)}`, digest: `0x${"22".repeat(32)}` };
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
        assert kinds == 19


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
