// Development only: a pretend AlipayJSBridge, for a browser that calls itself Alipay's. The real one is never touched.
{
  const draw = async (trade, back) => {
    const answer = await fetch(`/sandbox/alipay/sheet/${encodeURIComponent(trade)}`);
    if (!answer.ok) return back({ resultCode: "4000" });
    const { amount, goods } = await answer.json();
    const sheet = document.createElement("dialog");
    const says = (tag, text) => {
      const part = document.createElement(tag);
      part.textContent = text;
      sheet.append(part);
      return part;
    };
    const ends = (resultCode) => {
      sheet.remove();
      back({ resultCode });
    };
    says("p", "Sandbox: the payment sheet of Alipay");
    says("strong", `${amount} ${goods}`);
    const button = (text, value, act) => {
      const made = says("button", text);
      Object.assign(made, { type: "button", value, className: "button second", onclick: act });
    };
    button("Pay", "sheet-pay", async () => {
      const body = new URLSearchParams({ action: "pay" });
      const paid = await fetch(`/sandbox/alipay/sheet/${encodeURIComponent(trade)}`, { method: "POST", body });
      ends((await paid.json()).resultCode);
    });
    button("Close (6001)", "sheet-close", () => ends("6001"));
    button("Say paid, pay nothing (9000)", "sheet-lie", () => ends("9000"));
    button("Fail (4000)", "sheet-fail", () => ends("4000"));
    button("Lose the line (6002)", "sheet-lost", () => ends("6002"));
    sheet.oncancel = () => ends("6001");
    document.body.append(sheet);
    sheet.showModal();
  };
  if (!window.AlipayJSBridge && /AlipayClient/.test(navigator.userAgent)) {
    window.AlipayJSBridge = {
      call: (name, { tradeNO } = {}, back = () => {}) => (name === "tradePay" ? draw(tradeNO, back) : back({})),
    };
    document.dispatchEvent(new Event("AlipayJSBridgeReady"));
  }
}
