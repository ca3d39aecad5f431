// One click is one submit: buttons rest until the answer, or until somebody comes back to the page.
{
  const rest = (buttons, yes) => buttons.forEach((button) => (button.disabled = yes));
  document.addEventListener("submit", ({ target }) => {
    // A download answers without a new page, so its button stays awake.
    if (target.method === "post") setTimeout(() => rest(target.querySelectorAll("button"), true));
  });
  addEventListener("pageshow", () => rest(document.querySelectorAll("form button"), false));
}
