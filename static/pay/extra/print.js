// The receipt's button needs a script: without one the browser's own menu prints.
{
  const button = document.querySelector("[data-print]");
  button.hidden = false;
  button.onclick = () => print();
  // On paper nothing can be unfolded.
  onbeforeprint = () => document.querySelectorAll("details").forEach((one) => (one.open = true));
}
