// An iPad that says Mac is known by its touch points: then the wallet may be on this very device.
on("drawn", () => all("[data-touch]").forEach((one) => (one.hidden = !navigator.maxTouchPoints)));
