// With one wallet there is nothing to choose: presses its button, but never for someone who came back.
{
  const [came] = performance.getEntriesByType("navigation");
  if (came && came.type === "navigate" && !document.prerendering) $("[data-auto]").click();
}
