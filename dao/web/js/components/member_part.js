/** Shows what a member can do about a proposal now: vote, withdraw, queue or execute it. */

import { forgetDraft, useDraft } from "../drafts.js";
import { html } from "../html.js";
import { transact } from "../transact.js";
import { useChainTime } from "./countdown.js";
import { Amount, Notice } from "./parts.js";
import { SupportMark } from "./tally.js";

const REASON_LENGTH = 1000; // characters
const LABELS = ["Vote against", "Vote for", "Abstain"]; // by the number of the support

/** The member's part; `voter` is what the API says of the member here, null when signed out. */
export function MemberPart({ proposal, voter }) {
  const now = useChainTime();
  const { id, state, proposer, eta } = proposal;
  const parts = [];
  if (voter?.vote) parts.push(html`<${OwnVote} vote=${voter.vote} />`);
  else if (state === "active") parts.push(html`<${Ballot} id=${id} voter=${voter} />`);
  if (state === "pending") parts.push(html`<${DelegateInTime} />`);
  if (state === "pending" && proposer === voter?.voter) parts.push(html`<${Withdrawal} id=${id} />`);
  if (state === "succeeded") {
    parts.push(html`
      <${Step} action="queue" label="Queue it" id=${id}>
        Accepted. It waits in the timelock before it can be executed; anyone may queue it.
      </${Step}>
    `);
  }
  if (state === "queued" && eta <= now) {
    parts.push(html`
      <${Step} action="execute" label="Execute it" id=${id}>The wait is over; anyone may execute it.</${Step}>
    `);
  }
  if (!parts.length) return null;
  return html`
    <section class="card" aria-labelledby="todo">
      <h2 id="todo">Your part</h2>
      ${parts}
    </section>
  `;
}

function OwnVote({ vote }) {
  const { support, weight_wei: wei } = vote;
  return html`<p>You voted <${SupportMark} support=${support} /> with <${Amount} wei=${wei} />.</p>`;
}

function DelegateInTime() {
  return html`
    <p class="soft">Your votes on a proposal are those you have when voting opens: delegate before then.</p>
  `;
}

function Withdrawal({ id }) {
  const withdraw = () =>
    transact({ name: "Withdraw the proposal", prepare: "cancel", body: { proposal: id } });
  return html`<button type="button" onClick=${withdraw}>Withdraw it</button>`;
}

/** What anyone may do next with a proposal: `action` is queue or execute. */
function Step({ action, label, id, children }) {
  const body = { proposal: id };
  const perform = () => transact({ name: label, prepare: action, body, relay: () => body });
  return html`
    <div>
      <p>${children}</p>
      <button type="button" class="main" onClick=${perform}>${label}</button>
    </div>
  `;
}

function NoVotes() {
  return html`
    <${Notice} tone="warn">
      You had no votes when voting opened. Delegate under your account, to yourself or someone else; that counts for
      proposals whose voting opens later.
    </${Notice}>
  `;
}

function Ballot({ id, voter }) {
  const key = `reason-${id}`;
  const [reason, setReason] = useDraft(key, "");
  if (voter && BigInt(voter.weight_wei) === 0n) return html`<${NoVotes} />`;
  const vote = async (support) => {
    const relay = ({ typed_data: [typed] }, signature) => ({
      proposal: id,
      support,
      voter: typed.message.voter,
      nonce: typed.message.nonce,
      reason,
      signature,
    });
    const body = { proposal: id, support, reason };
    if (await transact({ name: LABELS[support], prepare: "vote", body, relay })) forgetDraft(key);
  };
  return html`
    <form class="ballot" onSubmit=${(event) => event.preventDefault()}>
      ${voter && html`<p>You have votes of <${Amount} wei=${voter.weight_wei} />.</p>`}
      <label for="reason">Reason, for everyone to read (or none)</label>
      <textarea
        id="reason"
        rows="3"
        maxlength=${REASON_LENGTH}
        value=${reason}
        onInput=${({ target }) => setReason(target.value)}
      />
      <menu>
        ${[1, 0, 2].map(
          (support) => html`
            <button
              key=${support}
              type="button"
              class="plain"
              onClick=${() => vote(support)}
            >
              ${LABELS[support]}
            </button>
          `,
        )}
      </menu>
      <p class="soft small">It costs nothing: you sign, and the relayer sends it.</p>
    </form>
  `;
}
