// A logo of any kind and size becomes a PNG that is small enough, as sharp as its bytes allow. Without a script, and
// where a browser cannot read the picture, the server says what is wrong with it.
{
  const input = document.querySelector("input[data-most]");
  const HEIGHTS = [80, 60, 40], WIDEST = 320, LONGEST = 512;
  const COARSE = [1, 17, 51]; // steps between shades of a colour: fewer shades are fewer bytes

  const drawn = (picture, height, step) => {
    const scale = Math.min(height / picture.height, WIDEST / picture.width, 1);
    const size = { width: Math.max(1, Math.round(picture.width * scale)), height: Math.max(1, Math.round(picture.height * scale)) };
    const canvas = Object.assign(document.createElement("canvas"), size);
    const pen = canvas.getContext("2d");
    pen.imageSmoothingQuality = "high";
    pen.drawImage(picture, 0, 0, size.width, size.height);
    const dots = pen.getImageData(0, 0, size.width, size.height);
    dots.data.forEach((shade, at) => (dots.data[at] = Math.round(shade / step) * step));
    pen.putImageData(dots, 0, 0);
    return new Promise((done) => canvas.toBlob(done, "image/png"));
  };
  const smaller = async (picture, most) => {
    for (const height of HEIGHTS)
      for (const step of COARSE) {
        const blob = await drawn(picture, height, step);
        if (blob && blob.size <= most) return new File([blob], "logo.png", { type: blob.type });
      }
    return null;
  };
  const fit = async () => {
    const [file] = input.files;
    const most = Number(input.dataset.most);
    const note = document.querySelector("[data-smaller]");
    note.hidden = true;
    if (!file) return;
    const picture = await createImageBitmap(file);
    const fits = file.type === "image/png" && file.size <= most && Math.max(picture.width, picture.height) <= LONGEST;
    const made = fits ? null : await smaller(picture, most);
    if (!made) return;
    const files = new DataTransfer();
    files.items.add(made);
    input.files = files.files;
    note.hidden = false;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  };
  if (input) {
    input.accept = "image/*";
    input.addEventListener("change", () => fit().catch(() => {}));
  }
}
