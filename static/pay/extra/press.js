// One press is one submit, and says in words what happens until the answer comes, however long the wallet takes.
{
  let pressed, words;
  const rest = (yes) => all("form button").forEach((one) => (one.disabled = yes));
  on("submit", (event) => {
    // After the event, since a disabled button would not send its value.
    setTimeout(rest, 0, true);
    pressed = event.submitter && event.submitter.querySelector("[data-busy]");
    if (!pressed) return;
    words = pressed.textContent;
    pressed.textContent = say(pressed.dataset.busy);
  });
  // Back here, whether the page was loaded or had been put away, everything can be pressed again.
  on("pageshow", () => {
    rest(false);
    if (pressed) pressed.textContent = words;
  });
}
