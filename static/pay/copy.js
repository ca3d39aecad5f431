// Shows the buttons that need a script: copying an address, printing the receipt.
{
  const offer = () =>
    document.querySelectorAll(navigator.clipboard ? "[data-copies], [data-print]" : "[data-print]").forEach((button) => (button.hidden = false));

  document.addEventListener("click", async ({ target }) => {
    const { copies, done, print: prints } = target.dataset;
    if (prints !== undefined) print();
    if (!copies) return;
    await navigator.clipboard.writeText(document.getElementById(copies).textContent);
    const label = target.textContent;
    target.textContent = document.querySelector("[data-news]").textContent = done;
    setTimeout(() => (target.textContent = label), 2500);
  });
  addEventListener("drawn", offer);
}
