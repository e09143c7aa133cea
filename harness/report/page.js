"use strict";
// Tables sort by the column whose head is pressed; numbers as numbers, missing values last.
const value = (cell) => {
  const text = cell.textContent.trim();
  const found = text.replace(/−/g, "-").replace(/,/g, "").match(/^[<>~]?\s*([+-]?\d+(\.\d+)?)(×10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?\s*([kMG])?/);
  if (!found) return text === "–" || text === "" ? null : text.toLowerCase();
  const digits = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  const power = found[4]
    ? Number([...found[4]].map((c) => (c === "⁻" ? "-" : digits.indexOf(c))).join(""))
    : 0;
  return Number(found[1]) * 10 ** power * ({ k: 1e3, M: 1e6, G: 1e9 }[found[5]] || 1);
};
const compare = (a, b) => {
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a === typeof b) return a < b ? -1 : a > b ? 1 : 0;
  return typeof a === "number" ? -1 : 1;
};
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.parentElement;
    const at = [...head.parentElement.children].indexOf(head);
    const falling = head.getAttribute("aria-sort") === "ascending";
    const body = head.closest("table").tBodies[0];
    const rows = [...body.rows].map((row) => [value(row.cells[at] || row.cells[0]), row]);
    rows.sort(([a], [b]) => (falling && a !== null && b !== null ? compare(b, a) : compare(a, b)));
    for (const other of head.parentElement.children) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    body.replaceChildren(...rows.map(([, row]) => row));
  });
}
document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
