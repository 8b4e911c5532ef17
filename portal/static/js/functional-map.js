// The functional map: pointing at a member shows its own supplies alone; a button fits the map or shows it large.
for (const picture of document.querySelectorAll(".jp-map__picture")) {
  const flows = [...picture.querySelectorAll("[data-from]")];
  const boxes = [...picture.querySelectorAll("[data-box]")];

  const show = (number) => {
    const near = new Set([number]);
    for (const flow of flows) {
      const own = number === null || flow.dataset.from === number || flow.dataset.to === number;
      flow.classList.toggle("jp-map--dim", !own);
      if (own && number !== null) near.add(flow.dataset.from).add(flow.dataset.to);
    }
    for (const box of boxes) box.classList.toggle("jp-map--dim", number !== null && !near.has(box.dataset.box));
  };

  for (const box of boxes) {
    box.addEventListener("pointerenter", () => show(box.dataset.box));
    box.addEventListener("pointerleave", () => show(null));
  }
}
