// Inside Alipay: once the app's bridge is there, tells a page with a trade (pay/extra/trade.js), and has the app tell
// silently who pays. It stands behind pay/base.js and speaks its words.
{
  const { authorise } = document.currentScript.dataset;
  const begin = () => {
    // Not by Back, and not by Reload; the older way to ask is the one that every engine knows.
    if (performance.navigation.type || document.prerendering || !self.AlipayJSBridge) return;
    tell("bridge");
    if (authorise && data.stage === "choose") location.assign(authorise);
  };
  on("load", () => setTimeout(() => (self.AlipayJSBridge ? begin() : on("AlipayJSBridgeReady", begin, document))));
}
