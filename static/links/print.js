// The button that needs a script stands there only where there is one.
{
  const button = document.querySelector("[data-print]");
  button.hidden = false;
  button.addEventListener("click", () => print());
}
