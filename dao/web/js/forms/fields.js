/** Makes an action's fields from the API's schema and the page's labels, and reads what was typed. */

import { KINDS, RULE_GROUPS } from "./kinds.js";
import { findType, TYPES } from "./types.js";

const UNITS = /_(wei|seconds)$/;

/**
 * Returns the groups of fields to show for an action: [{heading, fields}]. A field is {name, label, type,
 * hint, start, options}; the name of a rule begins with "rules.". Rules to change are shown once the task is
 * chosen whose rules they are.
 */
export function listGroups({ kind, values }, schema) {
  const { fields, rules } = KINDS[kind];
  const own = listOwnFields(fields);
  if (!rules) return own;
  const isWaiting = rules === "changeable" && !values.task;
  const groups = isWaiting ? [] : listRuleGroups(schema).filter(({ isFixed }) => rules === "all" || !isFixed);
  return rules === "all" ? [...groups, ...own] : [...own, ...groups];
}

function listOwnFields(fields) {
  const made = Object.entries(fields).map(([name, words]) => makeField(name, words));
  return made.length ? [{ heading: made[0].heading, fields: made }] : [];
}

function listRuleGroups(schema) {
  const makeRule = ([name, words]) => ({
    ...makeField(name, words, schema.rules[name]),
    name: `rules.${name}`,
  });
  const known = new Set(RULE_GROUPS.flatMap(({ rules }) => Object.keys(rules)));
  const others = Object.keys(schema.rules).filter((name) => !known.has(name));
  const groups = [
    ...RULE_GROUPS,
    { heading: "Other rules", rules: Object.fromEntries(others.map((name) => [name, {}])) },
  ];
  return groups
    .map(({ heading, isFixed, rules }) => ({
      heading,
      isFixed,
      fields: Object.entries(rules)
        .filter(([name]) => schema.rules[name])
        .map(makeRule),
    }))
    .filter(({ fields }) => fields.length);
}

function makeField(name, words, schema = {}) {
  const type = words.type ?? findType(name, schema);
  return {
    name,
    type,
    label: words.label ?? name.replace(UNITS, "").replaceAll("_", " "),
    hint: words.hint ?? TYPES[type].hint ?? "",
    start: words.start ?? "",
    options: words.options ?? schema.enum ?? null,
    heading: words.heading ?? null,
  };
}

/**
 * Returns {fields}, an action's fields as the API takes them, or {missing}: the labels of those that cannot
 * be read.
 */
export function readFields(action, schema) {
  const { kind, values } = action;
  const shown = listGroups(action, schema).flatMap(({ fields }) => fields);
  const takenOver =
    KINDS[kind].rules === "changeable" && values.task
      ? listRuleGroups(schema).flatMap(({ isFixed, fields }) => (isFixed ? fields : []))
      : [];
  const fields = {};
  const missing = [];
  for (const field of [...shown, ...takenOver]) {
    const value = TYPES[field.type].parse(getText(field, values).trim());
    if (value === null) missing.push(field.label);
    const [outer, inner] = field.name.split(".");
    if (inner) (fields[outer] ??= {})[inner] = value;
    else fields[outer] = value;
  }
  return missing.length ? { missing } : { fields };
}

/** Returns what stands in a field: what was typed, or what it starts with. */
export function getText({ name, start }, values) {
  return values[name] ?? start;
}

/**
 * Returns what to type for an action's fields as the API takes them, by the names of the form's fields. Throws
 * a TypeError for a field that the kind has not.
 */
export function writeFields({ kind, fields }, schema) {
  const { rules = {}, ...own } = fields;
  const entries = Object.entries(own).map(([name, value]) => {
    const { type } = KINDS[kind].fields[name]; // undefined has none
    return [name, TYPES[type].write(value)];
  });
  if (Object.keys(rules).some((name) => !schema.rules[name])) throw new TypeError("rules: unknown ones");
  return { ...Object.fromEntries(entries), ...writeRules(rules, schema) };
}

/** Returns what to type for a task's present rules, by the names of their fields. */
export function writeRules(rules, schema) {
  const entries = Object.entries(rules).map(([name, value]) => [
    `rules.${name}`,
    TYPES[findType(name, schema.rules[name] ?? {})].write(value),
  ]);
  return Object.fromEntries(entries);
}
