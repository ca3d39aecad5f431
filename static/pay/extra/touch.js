// An iPad that says Mac is known by its touch points: then the wallet may be on this very device.
on("drawn", () => hide("[data-touch]", !navigator.maxTouchPoints));
