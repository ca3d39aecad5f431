// One press is one order: buttons rest until the answer, or until the shopper comes back to the page.
{
  const rest = (buttons, yes) => buttons.forEach((button) => (button.disabled = yes));
  document.addEventListener("submit", ({ target }) => rest(target.querySelectorAll("button"), true));
  addEventListener("pageshow", () => rest(document.querySelectorAll("form button"), false));
}
