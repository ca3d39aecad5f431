// Passkeys: what this browser can do is offered, and nothing else changes. Every page does its work without them.
if (window.PublicKeyCredential) {
  const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const maybe = (buffer) => (buffer ? text(buffer) : undefined);
  const known = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));
  const question = (told) => ({
    ...told,
    challenge: bytes(told.challenge),
    ...(told.user ? { user: { ...told.user, id: bytes(told.user.id) }, excludeCredentials: known(told.excludeCredentials) } : { allowCredentials: known(told.allowCredentials) }),
  });
  const answer = ({ id, type, response }) =>
    JSON.stringify({
      id,
      rawId: id,
      type,
      response: {
        clientDataJSON: text(response.clientDataJSON),
        attestationObject: maybe(response.attestationObject),
        authenticatorData: maybe(response.authenticatorData),
        signature: maybe(response.signature),
        userHandle: maybe(response.userHandle),
        transports: response.getTransports?.(),
      },
    });

  class Refused extends Error {}
  // Raises what the server says against it, in words for the person; all else is the browser's own trouble.
  const post = async (address, body) => {
    const told = await fetch(address, { method: "POST", body: new URLSearchParams(body), redirect: "error" });
    const said = await told.json();
    if (!told.ok) throw new Refused(said.problem);
    return said;
  };
  const ask = async (offer, form, more) => {
    const publicKey = question(await post(offer.dataset.options, new FormData(form)));
    return answer(await navigator.credentials[offer.dataset.passkey]({ publicKey, ...more }));
  };
  const show = (offer, trouble) => {
    const problem = offer.querySelector(":scope > [role=alert]");
    problem.textContent = trouble instanceof Refused ? trouble.message : problem.dataset.failed;
    problem.hidden = false;
    offer.querySelectorAll("button").forEach((button) => (button.disabled = false));
  };

  // The list under the field for the e-mail address holds passkeys too. A question that has grown old is asked anew.
  let waiting = new AbortController();
  let asked = 0;
  const suggest = async (form) => {
    if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
    waiting.abort();
    waiting = new AbortController();
    asked = Date.now();
    try {
      form.elements.credential.value = await ask(form, form, { mediation: "conditional", signal: waiting.signal });
      form.submit();
    } catch {}
  };

  document.querySelectorAll("form[data-passkey]").forEach((form) => {
    const suggested = "suggest" in form.dataset;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      waiting.abort();
      try {
        form.elements.credential.value = await ask(form, form);
        form.submit();
      } catch (trouble) {
        show(form, trouble);
        if (suggested) suggest(form);
      }
    });
    if (!suggested) return;
    suggest(form);
    addEventListener("focus", () => Date.now() - asked > 240000 && suggest(form));
  });

  // Where a form asks for a password again: after this, no form on the page does.
  document.querySelectorAll("body[data-has-passkeys] div[data-passkey]").forEach((offer) => {
    offer.hidden = false;
    const { csrf_token: token } = offer.closest("form").elements;
    offer.querySelector("button").addEventListener("click", async ({ target }) => {
      target.disabled = true;
      try {
        const body = { csrf_token: token.value };
        body.credential = await ask(offer, offer.closest("form"));
        await post(offer.dataset.answer, body);
        const done = Object.assign(document.createElement("p"), { className: "done", textContent: offer.dataset.done });
        done.setAttribute("role", "status");
        const fields = document.querySelectorAll("[data-proof]");
        offer.closest("[data-proof]").after(done);
        fields.forEach((field) => field.remove());
      } catch (trouble) {
        show(offer, trouble);
      }
    });
  });

  document.querySelectorAll("[data-with-passkeys]").forEach((part) => (part.hidden = false));
  document.querySelectorAll("[data-without-passkeys]").forEach((part) => (part.hidden = true));
}
