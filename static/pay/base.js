// What every script of a page may use; and how the scripts of a stage, which its <main> carries, are run: once.
const $ = (wanted) => document.querySelector(wanted);
const main = $("main");
const data = main.dataset;
const all = (wanted, from = main) => [...from.querySelectorAll(wanted)];
const hide = (wanted, yes) => all(wanted).forEach((one) => (one.hidden = yes));
const make = (tag, more) => Object.assign(document.createElement(tag), more);
const on = (event, act, where = self) => where.addEventListener(event, act);
const tell = (name) => dispatchEvent(new Event(name));
const say = (words) => ($("[data-news]").textContent = words);
const ran = {};
const run = () => {
  for (const one of all("script")) ran[one.text] = ran[one.text] || main.parentNode.appendChild(make("script", { text: one.text }));
  tell("drawn");
};
