"use strict";
for (const part of document.querySelectorAll(".errors")) {
  const bar = part.querySelector(".filters"), said = part.querySelector("output");
  const rows = [...part.querySelectorAll("tbody tr")].map(row => ({
    row, kind: row.cells[1].textContent, labels: [row.cells[2].textContent, row.cells[3].textContent], words: row.textContent.toLowerCase(),
  }));
  const [kind, label] = bar.querySelectorAll("select"), find = bar.querySelector("input");
  const filter = () => {
    let n = 0;
    for (const each of rows) {
      const shown = (!kind.value || each.kind === kind.value) && (!label.value || each.labels.includes(label.value))
        && each.words.includes(find.value.toLowerCase());
      each.row.hidden = !shown;
      n += shown;
    }
    said.textContent = `${n} / ${rows.length}`;
  };
  bar.hidden = false;
  bar.addEventListener("input", filter);
  filter();
}
