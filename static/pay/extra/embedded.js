// Inside a shop's page: tells it the status, once for each, when it asks from an origin that the merchant registered.
{
  let shop;
  let told;
  const send = (status) => parent.postMessage({ type: "sampan:status", id: location.pathname.split("/")[2], status }, shop);
  const news = () => {
    if (shop && told !== data.status) send((told = data.status));
  };
  on("message", ({ source, origin, data: said }) => {
    const known = self !== parent && source === parent && data.embed.split(" ").includes(origin);
    if (!known || !said || said.type !== "sampan:hello") return;
    shop = origin;
    news();
  });
  on("drawn", news);
  // The key is pressed in here and the window to close is out there.
  on("keydown", ({ key }) => key === "Escape" && shop && location.hash !== "#larger" && send("dismissed"));
}
