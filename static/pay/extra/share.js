// Shows the buttons that need a script: copying an address, handing it to another app.
on("click", async (event) => {
  const button = event.target;
  const { copies, share, done } = button.dataset;
  if (share) navigator.share({ url: share }).catch(() => 0);
  if (!copies) return;
  await navigator.clipboard.writeText($(copies).textContent);
  const label = button.textContent;
  button.textContent = say(done);
  setTimeout(() => (button.textContent = label), 2500);
});
on("drawn", () => {
  hide("[data-copies]", !navigator.clipboard);
  hide("[data-share]", !navigator.share);
});
