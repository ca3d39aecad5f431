// The parameters behind #/? never reach a server: carry them over byte for byte, since they are signed.
{
  const go = () => {
    const at = location.hash.indexOf("?");
    const told = document.querySelector("[data-moving]");
    if (at < 0) return;
    told.hidden = false;
    document.querySelector("[data-still]").hidden = true;
    location.replace("/checkout" + location.hash.slice(at).replaceAll("#", "%23"));
  };
  addEventListener("hashchange", go);
  go();
}
