// The enlarged code is an address (#larger), so it works without a script; with one, Escape closes it too.
on("keydown", (event) => {
  if (event.key !== "Escape" || location.hash !== "#larger") return;
  location.hash = "main";
  $(".enlarge a").focus();
});
// A redrawn code has to be pointed at again.
on("drawn", () => location.hash === "#larger" && location.replace("#larger"));
