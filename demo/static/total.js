// Adds up the order while it is filled in; without it the checkout says the total.
document.querySelectorAll("[data-order]").forEach((form) => {
  const total = form.querySelector("[data-total]");
  const hkd = new Intl.NumberFormat("en-HK", { minimumFractionDigits: 2 });
  const add = () => {
    const prices = [...form.querySelectorAll("[data-price]")];
    const sum = prices.reduce((all, input) => all + input.value * input.dataset.price, 0);
    total.querySelector("output").value = `HK$${hkd.format(sum / 100)}`;
    total.hidden = false;
  };
  form.addEventListener("input", add);
  add();
});
