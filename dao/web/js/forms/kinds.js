/** Names what the API's schema lacks: the kinds of action, and for every field its label and first value. */

/**
 * The rules of a task, by what they are about. Which rules there are, and what each of them is, the schema
 * says; a rule of the schema that is missing here stands under "Other rules". Rules of a fixed group never
 * change once a task exists.
 */
export const RULE_GROUPS = [
  {
    heading: "What is trained",
    isFixed: true,
    rules: {
      app_hash: { label: "Training code" },
      base_model: { label: "Base model" },
      validation_root: { label: "Validation data, root over its shards" },
      shards: {
        label: "Shards of validation data",
        start: "100",
        hint: "one is drawn and used up in each round",
      },
      body_depth: {
        label: "Depth of the body tree",
        start: "17",
        hint: "17 is enough for 25 million values",
      },
      codec: { label: "Codec of updates", start: "int8" },
      chunks: { label: "Chunks of 256 values of the model" },
      scored_chunks: { label: "Chunks of trained parameters, the first ones" },
      base_model_root: { label: "Base model, root over its chunks" },
    },
  },
  {
    heading: "What it is called and set to",
    rules: { card: { label: "Card", hint: "name, purpose, data, metric, settings: dao task card makes it" } },
  },
  {
    heading: "Who takes part",
    isFixed: true,
    rules: {
      superlink: { label: "Superlink", hint: "the operator's address" },
      admitted_only: { label: "Only members that the DAO admits" },
    },
  },
  {
    heading: "What it pays",
    rules: {
      round_budget_wei: { label: "Budget of a round", start: "10" },
      min_stake_wei: { label: "Minimum stake of a Supernode", start: "1" },
      max_stake_wei: { label: "Stake above which weight no longer grows", start: "1000" },
      superlink_bond_wei: { label: "Bond of the Superlink", start: "5" },
      challenge_bond_wei: { label: "Bond of a challenge", start: "5" },
    },
  },
  {
    heading: "How long it takes",
    rules: {
      quorum: { label: "Minimum of commits in a round", start: "1" },
      commit_period_seconds: { label: "Time to commit", start: "10 min" },
      close_after_seconds: {
        label: "Least time to commit",
        start: "5 min",
        hint: "then enough commits close the round",
      },
      close_share_percent: { label: "Commits that are enough, percent of the eligible", start: "100" },
      max_in_flight: { label: "Most undecided rounds", start: "256" },
      reveal_period_seconds: { label: "Time to reveal", start: "5 min" },
      result_period_seconds: { label: "Time for the result", start: "10 min" },
      challenge_period_seconds: { label: "Time to challenge", start: "1 h" },
      resolve_period_seconds: { label: "Time for the DAO to decide on a challenge", start: "4 days" },
    },
  },
];

const TASK = { label: "Task", type: "task" };
const AMOUNT = { label: "Amount", type: "tokens" };
const makeDuration = (label, start) => ({ seconds: { label, start, type: "duration" } });

/**
 * The kinds of action by the API's names, plain ones first, each with its fields beside `rules`. `rules` says how it deals with
 * a task's rules: "all" asks for each, "changeable" asks for those that may change and takes the others over
 * from the chosen task.
 */
export const KINDS = {
  grant: { label: "Pay a grant", fields: { to: { label: "To", type: "address" }, amount_wei: AMOUNT } },
  fund: { label: "Add funds to a task", fields: { task: TASK, amount_wei: AMOUNT } },
  admit: {
    label: "Admit a member, or remove one",
    fields: {
      task: TASK,
      owner: { label: "Owner of the Supernode", type: "address" },
      admitted: { label: "May take part from now on", type: "yes" },
    },
  },
  resolve: {
    label: "Decide on a challenged result",
    fields: {
      task: TASK,
      round: { label: "Round", type: "count" },
      valid: { label: "The result is", type: "finding", options: ["right", "wrong"] },
    },
  },
  change_rules: { label: "Change a task's rules", rules: "changeable", fields: { task: TASK } },
  create_task: {
    label: "Create a task",
    rules: "all",
    fields: {
      funds_wei: { label: "Set aside from the treasury", type: "tokens", start: "100", heading: "Funds" },
    },
  },
  close_task: {
    label: "Close a task for good",
    fields: { task: TASK, refund_to: { label: "What is left goes to", type: "address" } },
  },
  recover_unclaimed: {
    label: "Take back what nobody claimed of a closed task",
    fields: { task: TASK, to: { label: "To", type: "address" } },
  },
  replace_superlink: {
    label: "Replace a task's Superlink",
    fields: {
      task: TASK,
      superlink: { label: "New Superlink", type: "address", hint: "the operator's address" },
    },
  },
  append_shards: {
    label: "Give a task more validation shards",
    fields: {
      task: TASK,
      shards: { label: "Shards then, with the old ones", type: "count" },
      first: {
        label: "Leaf of the first new one",
        type: "digest",
        hint: "dao propose --append-shards computes these",
      },
      path: { label: "Its 16 siblings in the tree", type: "digests" },
    },
  },
  set_voting_delay: {
    label: "Change the time before voting",
    fields: makeDuration("Time before voting", "1 day"),
  },
  set_voting_period: {
    label: "Change the time for voting",
    fields: makeDuration("Time for voting", "7 days"),
  },
  set_threshold: {
    label: "Change the votes needed to propose",
    fields: { votes_wei: { label: "Votes", type: "tokens", start: "1" } },
  },
  set_quorum: {
    label: "Change the quorum",
    fields: { percent: { label: "Percent of the supply", type: "count", start: "4" } },
  },
  set_late_extension: {
    label: "Change the time left to vote after the quorum is reached",
    fields: makeDuration("Minimum time left", "1 day"),
  },
  set_timelock_delay: {
    label: "Change the time between decision and execution",
    fields: makeDuration("Time before execution", "2 days"),
  },
  pause_tasks: { label: "Pause new tasks and rounds", fields: {} },
  unpause_tasks: { label: "Open tasks and rounds again", fields: {} },
  pause_staking: { label: "Pause staking", fields: {} },
  unpause_staking: { label: "Open staking again", fields: {} },
};

const OTHER_LABELS = { delegatee: "Delegate to", title: "Title", description: "Why", reason: "Reason" };

/** Puts labels into the API's words: "grant.to: …" becomes "Pay a grant, To: …". */
export function labelPaths(text) {
  return text.replace(/(^|; )([\w.]+): /g, (whole, mark, path) => {
    const label = findLabel(path);
    return label ? `${mark}${label}: ` : whole;
  });
}

/**
 * Returns the label of a field by its path in the API's words, where units are left out; undefined for an
 * unknown one.
 */
function findLabel(path) {
  const [kind, ...rest] = path.split(".");
  if (!rest.length) return OTHER_LABELS[kind];
  const isRule = rest[0] === "rules";
  const fields = isRule ? Object.assign({}, ...RULE_GROUPS.map(({ rules }) => rules)) : KINDS[kind]?.fields;
  const name = isRule ? rest.slice(1).join(".") : rest.join(".");
  const field = fields && (fields[name] ?? fields[`${name}_wei`] ?? fields[`${name}_seconds`]);
  return field && KINDS[kind] && `${KINDS[kind].label}, ${field.label}`;
}
