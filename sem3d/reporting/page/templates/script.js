// What JavaScript adds where it may run: columns that sort and a filter over the trials.
"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const key = (row, column) => {
    const cell = row.cells[column];
    const number = cell.dataset.value ?? (column ? undefined : cell.textContent);
    return number === undefined ? cell.textContent : number === "" ? NaN : Number(number);
  };
  const compare = (a, b) => {
    if (typeof a === "string") return a.localeCompare(b);
    return Number.isNaN(a) ? (Number.isNaN(b) ? 0 : 1) : Number.isNaN(b) ? -1 : a - b;
  };
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].map((row) => [key(row, column), row]);
      rows.sort((a, b) => {
        const missing = Number.isNaN(a[0]) || Number.isNaN(b[0]);
        return (down && !missing ? -1 : 1) * compare(a[0], b[0]);
      });
      body.append(...rows.map((entry) => entry[1]));
    });
  });
  const filter = document.createElement("input");
  filter.type = "search";
  filter.placeholder = "show trials with ...";
  filter.setAttribute("aria-label", "show trials that contain these words");
  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of body.rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
  });
  table.parentElement.before(filter);
}
