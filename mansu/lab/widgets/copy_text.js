// A button that copies a text, and the text in a field from which it can be taken by hand.

function render({ model, el }) {
  const button = document.createElement("button");
  button.className = "jupyter-button widget-button";
  button.style.width = "auto";
  const said = document.createElement("span");
  said.setAttribute("role", "status");
  said.style.marginLeft = "8px";
  const field = document.createElement("textarea");
  field.readOnly = true;
  field.spellcheck = false;
  Object.assign(field.style, {
    display: "none", width: "100%", boxSizing: "border-box", marginTop: "4px",
    fontFamily: "var(--jp-code-font-family, monospace)", fontSize: "12px",
    color: "var(--jp-ui-font-color1, #1f2933)", background: "var(--jp-layout-color1, #fff)",
    border: "1px solid var(--jp-border-color1, #7b8794)",
  });
  field.setAttribute("data-lm-suppress-shortcuts", "true");
  el.replaceChildren(button, said, field);
  el.style.minWidth = "0";

  function update() {
    button.textContent = model.get("label");
    field.setAttribute("aria-label", model.get("label"));
    field.value = model.get("text");
    field.rows = Math.min(12, Math.max(2, field.value.split("\n").length));
  }

  button.addEventListener("click", async () => {
    // The text stays in sight: a browser that refuses the clipboard leaves it to be taken by hand.
    field.style.display = "block";
    el.style.flex = "1 1 100%";
    field.focus();
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      said.textContent = "copied";
    } catch {
      said.textContent = "press Ctrl+C to copy";
    }
    setTimeout(() => { said.textContent = ""; }, 4000);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      field.style.display = "none";
      el.style.flex = "";
      button.focus();
    }
  });
  model.on("change:label change:text", update);
  update();
}

export default { render };
