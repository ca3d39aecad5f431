// With one wallet there is nothing to choose: presses its button, but never for someone who came back.
// The older way to tell is the one that every engine knows; 0 is a plain arrival, no Reload and no Back.
if (performance.navigation.type === 0 && !document.prerendering) $("[data-auto]").click();
