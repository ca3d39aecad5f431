/**
 * Sampan's API for a shop's server in JavaScript: copy this one file. It needs Node 18 or newer and nothing else.
 *
 *     import { Sampan, verifyWebhook } from "./sampan.mjs";
 *     const sampan = new Sampan("https://pay.example", "sk_…");
 *     const session = await sampan.createSession({ amount: 8800, currency: "HKD", reference: "A-1001",
 *       return_url: "https://shop.example/thanks" });
 *     // Redirect the shopper to session.url. Deliver when a webhook that verifyWebhook() accepts says `paid`.
 *
 * Amounts are whole minor units: 8800 is HK$88.00. The API key belongs on a server, never in a page.
 */

import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * @typedef {{id: string, attempt: string, role: "accepted" | "surplus" | "late" | "mismatch", out_trade_no: string,
 *   syssn: string, amount: number, currency: string, paid_at: string | null}} Payment money that moved
 * @typedef {{id: string, session: string, payment: string, amount: number, currency: string, reason: string,
 *   status: "pending" | "succeeded" | "failed", failure: object | null, waits_until: string | null,
 *   created_at: string}} Refund
 * @typedef {{id: string, url: string, status: "open" | "paid" | "expired" | "cancelled", review: boolean,
 *   amount: number, currency: string, amount_refunded: number, reference: string, description: string, items: object[],
 *   metadata: Record<string, string>, wallets: string[], locale: string | null, created_at: string, expires_at: string,
 *   paid_at: string | null, attempts: object[], payments: Payment[], refunds: Refund[], version: number}} Session
 *   with `review` a person must look before anything is delivered
 * @typedef {{type: string, timestamp: string, data: Session}} Event
 */

const TOLERANCE = 300; // seconds that a webhook may be old, or our clock wrong
const RETURN_SECONDS = 600; // a signed return is news for so long; afterwards it is an old link
const TRIES = 3;
const LONGEST_WAIT = 30; // seconds: who is told to wait longer hears it as an error
const MAY_PASS = new Set([429, 500, 502, 503, 504]);
const STILL_RUNNING = 409; // with Retry-After: the first with this Idempotency-Key; without it, it is a refusal
const RETURN_FIELDS = ["session_id", "reference", "status", "timestamp"];

/** What can go wrong between a shop and Sampan. */
export class SampanError extends Error {
  get name() {
    return this.constructor.name;
  }
}

/** No answer, however often it was tried. It may have been done: repeat it with the same Idempotency-Key. */
export class Unreachable extends SampanError {}

/** A webhook or a return that Sampan did not sign with this secret, or not lately. */
export class NotAuthentic extends SampanError {}

/** Sampan refused. `errors` is a list of {field, message}; `requestId` helps whoever reads Sampan's log. */
export class ApiError extends SampanError {
  /** @param {number} status @param {Record<string, any>} problem @param {Headers} headers */
  constructor(status, problem, headers) {
    const detail = String(problem.detail ?? problem.title ?? `HTTP ${status}`);
    super(`${status}: ${detail}`);
    this.status = status;
    this.detail = detail;
    /** @type {{field: string, message: string}[]} */
    this.errors = Array.isArray(problem.errors) ? problem.errors : [];
    const wait = headers.get("retry-after") ?? "";
    this.retryAfter = /^[0-9]{1,9}$/.test(wait) ? Number(wait) : null;
    this.requestId = headers.get("x-request-id");
  }
}

/** The merchant's API. Throws ApiError and Unreachable; what is safe to repeat was repeated before. */
export class Sampan {
  #url;
  #apiKey;
  #timeout;

  /** @param {string} url @param {string} apiKey @param {{timeout?: number}} [options] `timeout` in milliseconds */
  constructor(url, apiKey, { timeout = 15_000 } = {}) {
    if (!/^https?:\/\//.test(url)) throw new TypeError("the address of Sampan starts with https://");
    this.#url = url.replace(/\/+$/, "");
    this.#apiKey = apiKey;
    this.#timeout = timeout;
  }

  /**
   * Open a session. With a key of your own, such as the order's number, a crashed order can be repeated too.
   * @param {object} order @param {{idempotencyKey?: string}} [options] @returns {Promise<Session>}
   */
  createSession(order, { idempotencyKey = randomUUID() } = {}) {
    return this.#call("POST", "/v1/checkout-sessions", { body: order, key: idempotencyKey });
  }

  /** @param {string} id @returns {Promise<Session>} */
  getSession(id) {
    return this.#call("GET", `/v1/checkout-sessions/${encodeURIComponent(id)}`);
  }

  /**
   * All that fit, newest first: reference, status, created_after; further pages are fetched as you go.
   * @param {Record<string, string | number>} [filters] @returns {AsyncGenerator<Session>}
   */
  listSessions(filters = {}) {
    return this.#pages("/v1/checkout-sessions", filters);
  }

  /**
   * Look at `status` of what comes back: paid if the shopper was quicker, open while a code may be paid.
   * @param {string} id @returns {Promise<Session>}
   */
  cancelSession(id) {
    return this.#call("POST", `/v1/checkout-sessions/${encodeURIComponent(id)}/cancel`, { again: true });
  }

  /**
   * Send money back, by default all that is left; `pending` until an event tells the end.
   *
   * The key is yours and stands for this one refund: a second press with it pays nothing twice. With `amount_left`
   * (see amountLeft()) a refund that somebody else has made meanwhile is noticed: ApiError 412.
   * @param {string} id @param {{idempotencyKey: string, amount?: number, amount_left?: number, reason?: string}} wish
   * @returns {Promise<Refund>}
   */
  async refund(id, { idempotencyKey, ...body }) {
    if (!idempotencyKey) throw new TypeError("a refund needs an idempotencyKey of yours");
    return this.#call("POST", `/v1/checkout-sessions/${encodeURIComponent(id)}/refunds`, { body, key: idempotencyKey });
  }

  /** @param {string} id @returns {Promise<Refund>} */
  getRefund(id) {
    return this.#call("GET", `/v1/refunds/${encodeURIComponent(id)}`);
  }

  /** What your server was told, each with its deliveries. @param {{session?: string, type?: string}} [filters] */
  listEvents(filters = {}) {
    return this.#pages("/v1/events", filters);
  }

  /** @param {string} eventId */
  redeliver(eventId) {
    return this.#call("POST", `/v1/events/${encodeURIComponent(eventId)}/redeliver`);
  }

  async *#pages(path, filters) {
    const asked = new URLSearchParams(Object.entries(filters).filter(([, value]) => value != null).map(([k, v]) => [k, String(v)]));
    for (;;) {
      const page = await this.#call("GET", `${path}?${asked}`);
      yield* page.data;
      if (!page.next_cursor) return;
      asked.set("cursor", page.next_cursor);
    }
  }

  /** Every try sends the same bytes under the same key, so that it is done once. */
  async #call(method, path, { body, key, again = false } = {}) {
    const headers = { Authorization: `Bearer ${this.#apiKey}`, Accept: "application/json" };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (key !== undefined) headers["Idempotency-Key"] = key;
    const sent = body === undefined ? undefined : JSON.stringify(body);
    const tries = method === "GET" || key !== undefined || again ? TRIES : 1;
    for (let number = 1; ; number++) {
      try {
        return await this.#send(method, path, headers, sent);
      } catch (error) {
        const wait = waitAfter(error, number);
        if (number === tries || wait === null) throw error;
        await sleep(wait * 1000);
      }
    }
  }

  async #send(method, path, headers, body) {
    let answer, text;
    try {
      // The API never redirects; following would carry the key to a stranger.
      const signal = AbortSignal.timeout(this.#timeout);
      answer = await fetch(this.#url + path, { method, headers, body, signal, redirect: "manual" });
      text = await answer.text();
    } catch (error) {
      throw new Unreachable(`no answer from ${this.#url}: ${error.cause?.code ?? error.message}`);
    }
    const read = parsed(text);
    if (!answer.ok) throw new ApiError(answer.status, read ?? {}, answer.headers);
    if (read === null) throw new Unreachable(`no answer from ${this.#url} that can be read`);
    return read;
  }
}

/** @returns {Record<string, any> | null} null for what is no JSON object: a proxy answers in words of its own */
function parsed(text) {
  try {
    const read = JSON.parse(text);
    return read !== null && typeof read === "object" ? read : null;
  } catch {
    return null;
  }
}

/** Seconds until the next try; null: trying again does not help, or not so soon. */
function waitAfter(error, number) {
  if (!(error instanceof SampanError)) return null;
  if (error instanceof ApiError) {
    if (error.retryAfter !== null && (MAY_PASS.has(error.status) || error.status === STILL_RUNNING)) {
      return error.retryAfter <= LONGEST_WAIT ? error.retryAfter : null;
    }
    if (!MAY_PASS.has(error.status)) return null;
  }
  return 0.5 * 2 ** (number - 1) * (0.8 + 0.4 * Math.random());
}

/**
 * What may still be refunded: the accepted payment without what went back or is on its way back.
 * @param {Session} session
 */
export function amountLeft(session) {
  const accepted = new Map(session.payments.filter((p) => p.role === "accepted").map((p) => [p.id, p.amount]));
  const back = session.refunds.filter((refund) => accepted.has(refund.payment) && refund.status !== "failed");
  return sum(accepted.values()) - sum(back.map((refund) => refund.amount));
}

const sum = (amounts) => [...amounts].reduce((all, one) => all + one, 0);

/**
 * The event in a webhook (Standard Webhooks). Throws NotAuthentic.
 *
 * `body` is what came, as a Buffer: parsed and written again, it has another signature (in Express: express.raw()).
 * An event may come twice and late: remember its `webhook-id` header, and keep what has the highest `version`.
 * @param {Uint8Array | string} body @param {Headers | Record<string, string>} headers @param {string} secret
 * @param {{now?: number}} [options] `now` in Unix seconds
 * @returns {Event}
 */
export function verifyWebhook(body, headers, secret, { now } = {}) {
  const pairs = headers instanceof Headers ? [...headers] : Object.entries(headers);
  const given = Object.fromEntries(pairs.map(([name, value]) => [name.toLowerCase(), String(value)]));
  const id = given["webhook-id"] ?? "";
  const timestamp = given["webhook-timestamp"] ?? "";
  const hmac = createHmac("sha256", keyOf(secret)).update(`${id}.${timestamp}.`).update(body);
  const wanted = `v1,${hmac.digest("base64")}`;
  const signatures = (given["webhook-signature"] ?? "").split(" "); // two while a secret is being changed
  const fits = signatures.map((signature) => same(wanted, signature));
  if (!id || !fits.includes(true)) throw new NotAuthentic("no signature of this webhook fits");
  checkAge(timestamp, TOLERANCE, now);
  return JSON.parse(Buffer.from(body).toString());
}

/**
 * `session_id`, `reference`, `status` and `timestamp` of the way back. Throws NotAuthentic.
 *
 * `url` is the whole address, or its path and query, as it came. It thanks a shopper; it is no payment: deliver on the
 * webhook.
 * @param {string} url @param {string} secret @param {{now?: number, maxAge?: number}} [options] both in seconds
 * @returns {Record<"session_id" | "reference" | "status" | "timestamp", string>}
 */
export function verifyReturn(url, secret, { now, maxAge = RETURN_SECONDS } = {}) {
  const query = url.includes("?") ? url.slice(url.indexOf("?") + 1).split("#")[0] : url;
  const sent = Object.fromEntries(new URLSearchParams(query)); // the last of a name is Sampan's
  const parts = RETURN_FIELDS.map((name) => sent[name] ?? "");
  const expected = createHmac("sha256", keyOf(secret)).update(parts.join(".")).digest("hex");
  if (!same(expected, sent.signature ?? "") || parts[0].includes(".") || parts[2].includes(".")) {
    throw new NotAuthentic("the signature of this return does not fit");
  }
  checkAge(parts[3], maxAge, now);
  return Object.fromEntries(RETURN_FIELDS.map((name, number) => [name, parts[number]]));
}

/** In constant time for what is as long as it should be. */
function same(expected, given) {
  const [left, right] = [Buffer.from(expected), Buffer.from(given)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function keyOf(secret) {
  if (!/^whsec_[A-Za-z0-9+/]+={0,2}$/.test(secret)) throw new TypeError("a webhook secret is whsec_ and base64");
  return Buffer.from(secret.slice("whsec_".length), "base64");
}

function checkAge(timestamp, tolerance, now) {
  if (!/^[0-9]{1,12}$/.test(timestamp) || Math.abs((now ?? Date.now() / 1000) - Number(timestamp)) > tolerance) {
    throw new NotAuthentic("too old, or one of the two clocks is wrong");
  }
}
