// What a reader can do with the page: sort and filter tables, and move through temperatures.
// Without scripts the page shows the same, in its first order.
"use strict";

const value = (cell) => {
  const text = cell.textContent.replace(/[\s%+]/g, "").replace("−", "-");
  const number = Number.parseFloat(text);
  return Number.isNaN(number) ? null : number;
};

const compared = (one, other) => {
  const [a, b] = [value(one), value(other)];
  if (a !== null && b !== null) return a - b;
  if (a !== null || b !== null) return a === null ? 1 : -1; // what is no number comes last
  return one.textContent.localeCompare(other.textContent);
};

const sortable = (table) => {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  heads.forEach((head, column) => {
    head.tabIndex = 0;
    head.setAttribute("role", "button");
    const sort = () => {
      const falling = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      const rows = [...body.rows];
      rows.sort((a, b) => compared(a.cells[column], b.cells[column]) * (falling ? -1 : 1));
      body.append(...rows);
    };
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        sort();
      }
    });
  });
};

const filterable = (table) => {
  const body = table.tBodies[0];
  if (body.rows.length < 8) return;
  const field = document.createElement("input");
  field.type = "search";
  field.className = "filter";
  field.placeholder = `filter ${body.rows.length} rows`;
  field.setAttribute("aria-label", "show the rows that hold these words");
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of body.rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
  });
  table.closest(".scroll").before(field);
};

const sliding = (figure) => {
  const pictures = [...figure.querySelectorAll("[data-temperature]")];
  const range = figure.querySelector("input[type=range]");
  const shown = figure.querySelector("output");
  const show = () => {
    pictures.forEach((picture, number) => {
      picture.hidden = number !== Number(range.value);
    });
    shown.textContent = pictures[Number(range.value)].dataset.temperature;
  };
  figure.querySelector(".slide").hidden = false;
  range.addEventListener("input", show);
  show();
};

for (const table of document.querySelectorAll("table")) {
  sortable(table);
  filterable(table);
}
document.querySelectorAll("figure.slider").forEach(sliding);
// on paper nothing can be unfolded: words are, pictures and parameters stay in the page
window.addEventListener("beforeprint", () => {
  document.querySelectorAll("details:has(> .note)").forEach((one) => {
    one.open = true;
  });
});
