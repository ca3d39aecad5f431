// One click is one submit: buttons rest until the answer, or until somebody comes back to the page.
{
  const rest = (buttons, yes) => buttons.forEach((button) => (button.disabled = yes));
  document.addEventListener("submit", ({ target, submitter }) => {
    // A download and a preview answer without a new page, so their buttons stay awake.
    if (target.method === "post" && !(submitter && submitter.formTarget)) setTimeout(() => rest(target.querySelectorAll("button"), true));
  });
  addEventListener("pageshow", () => rest(document.querySelectorAll("form button"), false));
}
