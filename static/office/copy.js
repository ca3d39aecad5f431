// What is to be copied gets a button for it; without a script the text is selected by one press.
if (navigator.clipboard)
  document.querySelectorAll("[data-copy]").forEach((text) => {
    const { copyWord, copiedWord } = document.body.dataset;
    const button = Object.assign(document.createElement("button"), { type: "button", className: "link copy", textContent: copyWord });
    button.setAttribute("aria-live", "polite");
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(text.textContent.trim());
      button.textContent = copiedWord;
      setTimeout(() => (button.textContent = copyWord), 2000);
    });
    text.after(button);
  });
