// In the last three minutes counts down by the server's clock, and says so aloud twice: never at each second.
{
  let ends, shown;
  const tick = () => {
    const bar = $("[data-ending]");
    const left = Math.max(0, Math.ceil((ends - performance.now()) / 1000));
    if (!bar || left > 180) return;
    bar.hidden = false;
    $("[role=timer]").textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    for (const at of [180, 60]) if (left <= at && left > at - 15 && shown > at) say(bar.dataset["at" + at]);
    shown = left;
  };
  const set = () => {
    ends = performance.now() + 1000 * data.endsIn;
    shown = 999;
    tick();
  };
  on("told", () => Math.abs(ends - performance.now() - 1000 * data.endsIn) > 4000 && set());
  on("drawn", tick);
  set();
  setInterval(tick, 1000);
}
