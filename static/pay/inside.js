// Inside an app that opens no wallets, says so and shows the page's address at once.
{
  addEventListener("drawn", () =>
    document.querySelectorAll("[data-inside]").forEach((note) => {
      note.hidden = !navigator.userAgent.includes(note.dataset.inside);
      if (!note.hidden) document.querySelector("main details:last-of-type").open = true;
    }),
  );
}
