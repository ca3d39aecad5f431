// In the last three minutes counts down by the server's clock, and says so aloud twice: never at each second.
{
  let ends, shown;
  const now = () => performance.now() / 1000;
  const tick = () => {
    const bar = $("[data-ending]");
    const left = Math.max(0, Math.ceil(ends - now()));
    if (!bar || left > 180) return;
    bar.hidden = false;
    $("[role=timer]").textContent = new Date(1000 * left).toISOString().slice(15, 19);
    for (const at of [180, 60]) if (left <= at && left > at - 15 && shown > at) say(bar.dataset["at" + at]);
    shown = left;
  };
  const set = () => {
    ends = now() + +data.endsIn;
    shown = 999;
    tick();
  };
  on("told", () => Math.abs(ends - now() - data.endsIn) > 4 && set());
  on("drawn", tick);
  set();
  setInterval(tick, 1000);
}
