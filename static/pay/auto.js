// With one wallet there is nothing to choose: presses its button, but never for someone who came back.
{
  const [came] = performance.getEntriesByType("navigation");
  const only = document.querySelector("[data-auto]");
  if (only && came && came.type === "navigate" && !document.prerendering) only.click();
}
