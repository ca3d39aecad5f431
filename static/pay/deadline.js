// In the last three minutes shows how long is left, by the server's clock, and says so aloud twice.
{
  let ends = 0;
  let shown = Infinity;
  const milestones = { 180: "three", 60: "one" };

  const tick = () => {
    const timer = document.querySelector("[data-timer]");
    const left = Math.max(0, Math.ceil((ends - performance.now()) / 1000));
    if (!timer || left > 180) return;
    timer.hidden = false;
    timer.textContent = timer.dataset.timer.replace("{time}", `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`);
    for (const at in milestones)
      if (left <= at && left > at - 15 && shown > at) document.querySelector("[data-news]").textContent = timer.dataset[milestones[at]];
    shown = left;
  };
  addEventListener("told", () => {
    ends = performance.now() + 1000 * document.querySelector("main").dataset.expiresIn;
    tick();
  });
  setInterval(tick, 1000);
}
