// Still here 2.5 seconds after the tap that should have opened the wallet: help opens by itself.
{
  let stuck;
  const stop = () => clearTimeout(stuck);
  const help = () => {
    const ways = $("[data-help]");
    ways.open = true;
    ways.scrollIntoView();
    say(ways.firstElementChild.textContent);
  };
  on("click", (event) => {
    stop();
    if (event.target.closest("[data-jump]")) stuck = setTimeout(help, 2500);
  });
  on("visibilitychange", stop, document);
}
