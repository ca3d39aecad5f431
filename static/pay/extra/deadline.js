// In the last three minutes counts down by the server's clock, and says so aloud twice: never at each second.
{
  let told;
  let ends = 0;
  let shown = 999;
  const tick = () => {
    const bar = $("[data-ending]");
    const now = performance.now() / 1000;
    // Each answer tells the time anew; how long it was on its way must not make the seconds jump.
    if (told !== (told = data.endsIn) && Math.abs(ends - now - told) > 4) ends = now + +told;
    const left = Math.max(0, Math.ceil(ends - now));
    if (bar) {
      bar.hidden = left > 180;
      $("[role=timer]").textContent = new Date(1000 * left).toISOString().slice(15, 19);
      for (const at of [180, 60]) if (left <= at && left > at - 15 && shown > at) say(bar.dataset["at" + at]);
    }
    shown = left;
  };
  on("drawn", tick);
  setInterval(tick, 1000);
}
