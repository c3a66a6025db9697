"use strict";
const arcs = document.getElementById("arcs");
const paths = [...arcs.querySelectorAll("path")];
const rows = [...document.querySelectorAll("tbody tr")];
let kept = null;

// Shows the arcs of a row; of none without one.
function show(rung) {
  arcs.classList.toggle("chosen", rung !== null);
  for (const row of rows) row.classList.remove("chosen", "needs", "users");
  if (rung !== null) rows[rung].classList.add("chosen");
  for (const path of paths) {
    const user = Number(path.dataset.user);
    const need = Number(path.dataset.need);
    path.classList.toggle("needs", rung === user);
    path.classList.toggle("users", rung === need);
    if (rung === user) rows[need].classList.add("needs");
    if (rung === need) rows[user].classList.add("users");
  }
}

function choose(rung) {
  kept = kept === rung ? null : rung;
  show(kept);
}

for (const row of rows) {
  const rung = Number(row.dataset.rung);
  row.addEventListener("mouseenter", () => { if (kept === null) show(rung); });
  row.addEventListener("mouseleave", () => { if (kept === null) show(null); });
  row.addEventListener("click", () => choose(rung));
  row.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      choose(rung);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const next = rows[rung + (event.key === "ArrowDown" ? 1 : -1)];
      if (next) next.focus();
    } else if (event.key === "Escape") {
      kept = null;
      show(null);
    }
  });
}
