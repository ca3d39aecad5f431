// Shows the buttons that need a script: copying an address, handing it to another app.
on("click", async ({ target }) => {
  const { copies, share, done } = target.dataset;
  if (share) navigator.share({ url: share }).catch(() => 0);
  if (!copies) return;
  await navigator.clipboard.writeText($(copies).textContent);
  const label = target.textContent;
  target.textContent = say(done);
  setTimeout(() => (target.textContent = label), 2500);
});
on("drawn", () => {
  all("[data-copies]").forEach((one) => (one.hidden = !navigator.clipboard));
  all("[data-share]").forEach((one) => (one.hidden = !navigator.share));
});
