// The preview follows what is typed. Without a script its button draws it in the same frame, from the same form.
{
  const form = document.querySelector("[data-live]");
  const button = form && form.querySelector("[data-preview-button]");
  let shown = form && document.querySelector("iframe[name=preview]");
  let coming, soon, number = 0;

  // As tall as what they show, once it is there: nothing inside them scrolls.
  const fit = (sheet) =>
    sheet.querySelectorAll("iframe").forEach((one) => {
      const { documentElement } = one.contentDocument || {};
      if (documentElement) one.style.height = `${documentElement.scrollHeight}px`;
    });
  const settle = (frame) => {
    const sheet = frame.contentDocument && frame.contentDocument.querySelector("[data-preview]");
    if (sheet) fit(sheet);
    return sheet;
  };
  // A new frame for each preview: the old one stays until it is there, and the Back button leads out of the page.
  const draw = () => {
    if (coming) coming.remove();
    coming = shown.cloneNode();
    coming.removeAttribute("src");
    coming.name = button.formTarget = `preview${(number += 1)}`;
    coming.classList.add("coming");
    shown.after(coming);
    const mine = coming;
    mine.addEventListener("load", () => {
      const sheet = mine === coming && settle(mine);
      if (!sheet) return;
      const { scrollX, scrollY } = shown.contentWindow;
      mine.classList.remove("coming");
      shown.remove();
      shown = mine;
      coming = null;
      mine.contentWindow.scrollTo(scrollX, scrollY);
      document.querySelector("[data-hears]").textContent = sheet.querySelector("[data-told]").innerText;
    });
    form.requestSubmit(button);
  };
  const later = () => {
    clearTimeout(soon);
    soon = setTimeout(draw, 350);
  };
  const pick = (place) => {
    const text = place.querySelector("input");
    const swatch = Object.assign(document.createElement("input"), { type: "color", tabIndex: 0 });
    const six = () => (/^#[0-9a-f]{6}$/i.test(text.value) ? text.value : text.placeholder);
    swatch.setAttribute("aria-label", place.dataset.colour);
    swatch.value = six();
    swatch.addEventListener("input", () => (text.value = swatch.value));
    text.addEventListener("input", () => (swatch.value = six()));
    place.append(swatch);
  };
  if (form) {
    form.querySelectorAll("[data-colour]").forEach(pick);
    form.addEventListener("input", later);
    button.addEventListener("click", (event) => {
      event.preventDefault();
      draw();
    });
    shown.addEventListener("load", () => settle(shown));
    if (shown.contentDocument && shown.contentDocument.readyState === "complete") settle(shown);
    if (document.querySelector(".problem")) draw();
  }
}
