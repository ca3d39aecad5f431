// Menus close when somebody turns to something else; without a script they close by their own button.
{
  const others = (target) => [...document.querySelectorAll("details.menu[open]")].filter((menu) => !menu.contains(target));
  document.addEventListener("click", ({ target }) => others(target).forEach((menu) => (menu.open = false)));
  document.addEventListener("focusin", ({ target }) => others(target).forEach((menu) => (menu.open = false)));
  document.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape") return;
    others(null).forEach((menu) => {
      menu.open = false;
      menu.querySelector("summary").focus();
    });
  });
}
