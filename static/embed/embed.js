// The checkout inside a shop's page. <a href="SESSION URL" data-sampan>Pay</a> works without this script too.
(() => {
  const PAGES = "{pages}";
  const FROM = new URL(PAGES).origin;
  const FINAL = ["paid", "expired", "cancelled"];
  const WORDS = { zh: ["付款", "关闭"], "zh-hk": ["付款", "關閉"], en: ["Checkout", "Close"] };
  const ALIPAY = /AliApp\(AP\/|AlipayClient(?!HK)/;
  const me = document.currentScript;

  const words = () => {
    const lang = (document.documentElement.lang || "en").toLowerCase();
    if (!lang.startsWith("zh")) return WORDS.en;
    return /hk|tw|mo|hant/.test(lang) ? WORDS["zh-hk"] : WORDS.zh;
  };
  const pageOf = (given) => {
    const { href } = new URL(given, PAGES);
    if (!href.startsWith(PAGES + "cs_")) throw new TypeError("not a checkout page of " + FROM);
    return href;
  };
  const make = (name, style, more) => Object.assign(document.createElement(name), more, { style });

  const open = (given, { onDone, onClose } = {}) => {
    const href = pageOf(given);
    const leave = () => location.assign(href);
    // Too small to read, or too old for a dialog: the whole window, from where return_url leads back.
    if (innerWidth < 300 || innerHeight < 400 || !self.HTMLDialogElement) return leave();
    // Inside Alipay the app's own payment sheet opens on the whole window, never on a frame.
    if (ALIPAY.test(navigator.userAgent)) return leave();
    const [title, close] = words();
    const id = /cs_\w+/.exec(href)[0];
    let last = { id, status: "open" };
    let done;
    const dialog = make("dialog", "padding:0;border:0;width:min(100vw,64rem);height:min(100dvh,52rem);max-width:100vw;max-height:100dvh;background:#fff;overflow:hidden");
    const button = make("button", "display:block;margin-inline-start:auto;width:44px;height:44px;border:0;background:#fff;color:#10262a;font:24px/1 sans-serif;cursor:pointer", { type: "button", textContent: "×", title: close });
    const frame = make("iframe", "display:block;width:100%;height:calc(100% - 44px);border:0", { title, allow: "clipboard-write; web-share", src: href });
    dialog.setAttribute("aria-modal", "true");
    dialog.setAttribute("aria-label", title);
    button.setAttribute("aria-label", close);
    dialog.append(button, frame);

    const root = document.documentElement.style;
    const overflow = root.overflow;
    const back = document.activeElement;
    // Blocked, or without a script: nothing greets back in time.
    const blocked = setTimeout(leave, 4000);
    const hear = ({ source, origin, data }) => {
      if (source !== frame.contentWindow || origin !== FROM || !data || data.type !== "sampan:status" || data.id !== id) return;
      clearTimeout(blocked);
      if (data.status === "dismissed") return dialog.close();
      last = { id, status: data.status };
      if (done || !FINAL.includes(data.status)) return;
      done = true;
      if (onDone) onDone(last);
    };
    frame.onload = () => frame.contentWindow.postMessage({ type: "sampan:hello", id }, FROM);
    button.onclick = () => dialog.close();
    dialog.onclose = () => {
      clearTimeout(blocked);
      removeEventListener("message", hear);
      root.overflow = overflow;
      dialog.remove();
      if (back && back.focus) back.focus();
      if (onClose) onClose(last);
    };
    addEventListener("message", hear);
    document.body.append(dialog);
    root.overflow = "hidden";
    dialog.showModal();
    frame.focus();
    return { close: () => dialog.close() };
  };

  // The plain link stays what it is for a new tab, another button of the mouse, or a page that is not ours.
  addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest("a[data-sampan]");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    open(link.href, { onDone: (news) => link.dispatchEvent(new CustomEvent("sampan:done", { bubbles: true, detail: news })) });
    event.preventDefault();
  });
  if (me && me.dataset.sessionUrl) {
    const link = make("a", "", { href: pageOf(me.dataset.sessionUrl), textContent: me.dataset.label || words()[0] });
    link.dataset.sampan = "";
    me.after(link);
  }
  self.Sampan = { open };
})();
