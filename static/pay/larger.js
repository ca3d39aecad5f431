// The enlarged code is an address (#larger), so it works without a script; with one, Escape closes it too.
{
  addEventListener("keydown", ({ key }) => {
    if (key === "Escape" && location.hash === "#larger") location.hash = "main";
  });
  // A redrawn code has to be pointed at again.
  addEventListener("drawn", () => location.hash === "#larger" && location.replace("#larger"));
}
