// Inside a shop's page: tells it the status, once for each, when it asks from an origin that the merchant registered.
{
  let shop, told;
  const send = (status) => parent.postMessage({ type: "sampan:status", id: location.pathname.split("/")[2], status }, shop);
  const news = () => {
    if (shop && told !== data.status) send((told = data.status));
  };
  on("message", (event) => {
    const known = self !== parent && event.source === parent && data.embed.split(" ").includes(event.origin);
    if (!known || !event.data || event.data.type !== "sampan:hello") return;
    shop = event.origin;
    news();
  });
  on("drawn", news);
  // The key is pressed in here and the window to close is out there.
  on("keydown", (event) => event.key === "Escape" && shop && location.hash !== "#larger" && send("dismissed"));
}
