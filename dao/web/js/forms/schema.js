/** Reads from the API's own description (OpenAPI) what a proposal may hold, for the forms to follow. */

import { get } from "../api.js";

let reading = null;

/**
 * Returns the schema of a draft, read once: `rules` are the properties of a task's rules by their names, as
 * JSON Schemas; `titleLength` and `descriptionLength` are characters, `actions` how many actions fit.
 */
export async function readSchema() {
  reading ??= get("openapi.json").catch((problem) => {
    reading = null;
    throw problem;
  });
  const { schemas } = (await reading).components;
  const resolve = (schema) => (schema.$ref ? resolve(schemas[schema.$ref.split("/").pop()]) : schema);
  const { title, description, actions } = schemas.DraftForm.properties;
  const rules = Object.entries(schemas.Rules.properties).map(([name, schema]) => [name, resolve(schema)]);
  return {
    rules: Object.fromEntries(rules),
    titleLength: title.maxLength,
    descriptionLength: description.maxLength,
    actions: actions.maxItems,
  };
}
