/**
 * What a proposal may do, as forms: for each kind its fields, and how what was typed becomes the API's fields.
 * A field: {name, label, type, hint?, start?}; a name with a dot stands inside `rules`.
 */

import { exactTokens, weiOf } from "./format.js";

const DURATION = "such as 90 s, 10 min, 2 h, 3 days";
const UNITS = {
  s: 1,
  sec: 1,
  second: 1,
  min: 60,
  minute: 60,
  h: 3600,
  hour: 3600,
  d: 86400,
  day: 86400,
  week: 604800,
};
const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";

const time = (name, label, start) => ({ name, label, type: "seconds", hint: DURATION, start });
const money = (name, label, start, hint) => ({ name, label, type: "tokens", start, hint });
const whole = (name, label, start, hint) => ({ name, label, type: "count", start, hint });
const hash = (name, label) => ({
  name,
  label,
  type: "digest",
  hint: "0x and 64 hex digits, or the content's CID",
});
const address = (name, label, hint) => ({ name, label, type: "address", hint });
const yes = (name, label) => ({ name, label, type: "yes" });
const TASK = { name: "task", label: "Task", type: "task" };

// rules that may change between rounds, by what they are about
const MUTABLE = [
  {
    heading: "What it pays",
    fields: [
      money("rules.round_budget_wei", "Budget of a round", "10"),
      money("rules.min_stake_wei", "Least stake of a Supernode", "1"),
      money("rules.max_stake_wei", "Stake from which more gives no more weight", "1000"),
      money("rules.superlink_bond_wei", "Bond of the Superlink", "5"),
      money("rules.challenge_bond_wei", "Bond of a challenge", "5"),
    ],
  },
  {
    heading: "How long it takes",
    fields: [
      whole("rules.quorum", "Least commits for a round", "1"),
      time("rules.commit_period_seconds", "Time to commit", "10 min"),
      time("rules.reveal_period_seconds", "Time to reveal", "5 min"),
      time("rules.result_period_seconds", "Time for the result", "10 min"),
      time("rules.force_period_seconds", "Time to force a commit on chain", "10 min"),
      time("rules.challenge_period_seconds", "Time to challenge", "1 h"),
      time("rules.resolve_period_seconds", "Time for the DAO to decide on a challenge", "4 days"),
    ],
  },
];
const FIXED = [
  {
    heading: "What is trained",
    fields: [
      hash("rules.app_hash", "Training code"),
      hash("rules.base_model", "Base model"),
      hash("rules.validation_root", "Validation data, root over its shards"),
      whole("rules.shards", "Shards of validation data", "100", "one is drawn and used up in each round"),
      whole("rules.body_depth", "Depth of the body tree", "17", "17 is enough for 25 million values"),
      { name: "rules.codec", label: "Codec of updates", type: "codec" },
    ],
  },
  {
    heading: "Who takes part",
    fields: [
      address("rules.superlink", "Superlink", "the operator's address"),
      yes("rules.admitted_only", "Only members that the DAO admits"),
    ],
  },
];

/** Every kind of action by the API's name; `keeps` are rules of the chosen task that go along as they are. */
export const KINDS = {
  create_task: {
    label: "Create a task",
    groups: [
      ...FIXED,
      ...MUTABLE,
      { heading: "Funds", fields: [money("funds_wei", "Set aside from the treasury", "100")] },
    ],
    copies: true,
  },
  change_rules: {
    label: "Change a task's rules",
    groups: [{ fields: [TASK] }, ...MUTABLE],
    keeps: FIXED.flatMap(({ fields }) => fields),
  },
  fund: { label: "Add funds to a task", groups: [{ fields: [TASK, money("amount_wei", "Amount", "")] }] },
  close_task: {
    label: "Close a task for good",
    groups: [{ fields: [TASK, address("refund_to", "What is left goes to")] }],
  },
  admit: {
    label: "Admit a member, or remove one",
    groups: [
      {
        fields: [
          TASK,
          address("owner", "Owner of the Supernode"),
          yes("admitted", "May take part from now on"),
        ],
      },
    ],
  },
  replace_superlink: {
    label: "Replace a task's Superlink",
    groups: [{ fields: [TASK, address("superlink", "New Superlink", "the operator's address")] }],
  },
  resolve: {
    label: "Decide on a challenged result",
    groups: [{ fields: [TASK, whole("round", "Round", ""), yes("valid", "The result is right")] }],
  },
  grant: {
    label: "Pay a grant",
    groups: [{ fields: [address("to", "To"), money("amount_wei", "Amount", "")] }],
  },
  set_voting_delay: {
    label: "Change the time before voting",
    groups: [{ fields: [time("seconds", "Time before voting", "1 day")] }],
  },
  set_voting_period: {
    label: "Change the time for voting",
    groups: [{ fields: [time("seconds", "Time for voting", "7 days")] }],
  },
  set_threshold: {
    label: "Change the votes needed to propose",
    groups: [{ fields: [money("votes_wei", "Votes", "1")] }],
  },
  set_quorum: {
    label: "Change the quorum",
    groups: [{ fields: [whole("percent", "Percent of the supply", "4")] }],
  },
  set_late_extension: {
    label: "Change the time left to vote once the quorum is reached",
    groups: [{ fields: [time("seconds", "Least time left", "1 day")] }],
  },
  set_timelock_delay: {
    label: "Change the time between decision and execution",
    groups: [{ fields: [time("seconds", "Time before execution", "2 days")] }],
  },
  pause_tasks: { label: "Pause new tasks and rounds", groups: [] },
  unpause_tasks: { label: "Open tasks and rounds again", groups: [] },
  pause_staking: { label: "Pause staking", groups: [] },
  unpause_staking: { label: "Open staking again", groups: [] },
};

const READ = {
  tokens: weiOf,
  seconds: secondsOf,
  count: (text) => (/^\d{1,15}$/.test(text) ? Number(text) : null),
  task: (text) => (/^\d{1,9}$/.test(text) ? Number(text) : null),
  address: (text) => (/^0x[0-9a-fA-F]{40}$/.test(text) ? text : null),
  digest: digestOf,
  yes: (text) => text === "yes",
  codec: (text) => text || "int8",
};

/** The groups of fields to show: rules to change only once the task is chosen whose rules they are. */
export function groupsOf({ kind, values }) {
  const { groups, keeps } = KINDS[kind];
  return keeps && !values.task ? groups.slice(0, 1) : groups;
}

/** The API's fields of an action, or {missing}: the labels of what is not given or cannot be read. */
export function fieldsOf({ kind, values }) {
  const fields = {};
  const missing = [];
  const kept = values.task ? (KINDS[kind].keeps ?? []) : [];
  for (const field of [...groupsOf({ kind, values }).flatMap((group) => group.fields), ...kept]) {
    const text = (values[field.name] ?? field.start ?? "").trim();
    const value = READ[field.type](text);
    if (value === null) missing.push(field.label);
    const [outer, inner] = field.name.split(".");
    if (inner) (fields[outer] ??= {})[inner] = value;
    else fields[outer] = value;
  }
  return missing.length ? { missing } : { fields };
}

const FIELDS = { delegatee: "Delegate to", title: "Title", description: "Why", reason: "Reason" };

/** The API's words with its fields called as the forms call them: "grant.to: …" is "Pay a grant, To: …". */
export function labelled(text) {
  return text.replace(/(^|; )([\w.]+): /g, (whole, mark, path) => {
    const [kind, ...rest] = path.split(".");
    const name = rest.join(".");
    if (!name) return FIELDS[kind] ? `${mark}${FIELDS[kind]}: ` : whole;
    const found = KINDS[kind]?.groups
      .flatMap(({ fields }) => fields)
      .find((field) => field.name.replace(/_(wei|seconds)$/, "") === name);
    return found ? `${mark}${KINDS[kind].label}, ${found.label}: ` : whole;
  });
}

/** What to type for a task's present rules. */
export function typed(rules) {
  const entries = Object.entries(rules).map(([name, value]) => {
    if (name.endsWith("_wei")) return [`rules.${name}`, exactTokens(value)];
    if (name.endsWith("_seconds")) return [`rules.${name}`, `${value} s`];
    return [`rules.${name}`, value === true ? "yes" : value === false ? "" : String(value)];
  });
  return Object.fromEntries(entries);
}

/** Seconds from "90 s", "10 min", "2 h", "3 days" or a bare number of them; null otherwise. */
export function secondsOf(text) {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/.exec(text.trim().toLowerCase());
  if (!match) return null;
  const unit = UNITS[match[2] || "s"] ?? UNITS[match[2].replace(/s$/, "")];
  return unit ? Math.round(Number(match[1]) * unit) : null;
}

/** A sha-256 digest from its hex digits or from a CIDv1 in base32; null otherwise. */
export function digestOf(text) {
  if (/^0x[0-9a-fA-F]{64}$/.test(text)) return text.toLowerCase();
  if (!/^b[a-z2-7]{58}$/.test(text)) return null;
  let bits = 0n;
  for (const letter of text.slice(1)) bits = (bits << 5n) | BigInt(BASE32.indexOf(letter));
  const hex = (bits >> 2n).toString(16).padStart(72, "0"); // 58 letters hold 36 bytes and 2 bits
  return /^01(55|70)1220/.test(hex) ? `0x${hex.slice(8)}` : null;
}
