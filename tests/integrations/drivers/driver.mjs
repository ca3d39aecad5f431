/** A shop in JavaScript, by wire: one JSON command a line comes in, one answer goes out. */

import { createInterface } from "node:readline";
import { ApiError, NotAuthentic, Sampan, Unreachable, amountLeft, verifyReturn, verifyWebhook } from "../../../integrations/javascript/sampan.mjs";

const api = new Sampan(process.env.SAMPAN, process.env.SK);
const secret = process.env.WHSEC;

async function all(pages) {
  const rows = [];
  for await (const row of pages) rows.push(row);
  return rows;
}

// What each word of the tests is in this language. `a` holds the command's arguments.
const does = {
  create: (a) => api.createSession(a.order, { idempotencyKey: a.key }),
  get: (a) => api.getSession(a.id),
  list: (a) => all(api.listSessions(a.filters)),
  cancel: (a) => api.cancelSession(a.id),
  left: (a) => amountLeft(a.session),
  refund: (a) => api.refund(a.id, { idempotencyKey: a.key, ...a.wish }),
  get_refund: (a) => api.getRefund(a.id),
  events: (a) => all(api.listEvents(a.filters)),
  redeliver: (a) => api.redeliver(a.id),
  webhook: (a) => verifyWebhook(Buffer.from(a.body, "base64"), a.headers, secret, { now: a.now }),
  return: (a) => verifyReturn(a.url, secret, { now: a.now }),
};

function told(error) {
  if (error instanceof ApiError) {
    const { status, detail, errors, requestId } = error;
    return { error: "api", status, detail, errors, request: requestId, said: error.message };
  }
  if (error instanceof NotAuthentic) return { error: "forged", said: error.message };
  if (error instanceof Unreachable) return { error: "unreachable", said: error.message };
  throw error;
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  let answer;
  try {
    answer = { result: await does[command.do](command) };
  } catch (error) {
    answer = told(error);
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
