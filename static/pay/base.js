// What every script of a page may use; and how the scripts of a stage, which its <main> carries, are run: once.
const $ = (wanted) => document.querySelector(wanted);
const main = $("main");
const data = main.dataset;
const all = (wanted, from = main) => [...from.querySelectorAll(wanted)];
const on = (event, act, where = self) => where.addEventListener(event, act);
const tell = (name) => dispatchEvent(new Event(name));
const say = (text) => ($("[data-news]").textContent = text);
const ran = {};
const run = () => {
  for (const { text } of all("script")) {
    if (ran[text]) continue;
    const script = document.createElement("script");
    script.text = text;
    ran[text] = main.parentNode.appendChild(script);
  }
  tell("drawn");
};
