// Copies a command block. The clipboard of a page without TLS is out of reach, hence the old command.
for (const button of document.querySelectorAll("figure.command button")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const code = button.closest("figure").querySelector("code");
    const range = document.createRange();
    range.selectNodeContents(code);
    const selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    button.textContent = document.execCommand("copy") ? "Copied" : "Selected";
    window.setTimeout(() => (button.textContent = "Copy"), 2000);
  });
}
