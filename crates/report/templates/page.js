// What the page does beyond reading: sorting, hiding a protocol, colors, values below a pointer. Without it the page
// shows everything.
"use strict";

const root = document.documentElement;

/** Joins a choice to an attribute of the root, and remembers it for this page where the browser allows. */
function choice(name) {
  const select = document.getElementById(name);
  // Pages from files share one memory.
  const place = `${location.pathname} ${name}`;
  const apply = () => {
    if (select.value) root.dataset[name] = select.value;
    else delete root.dataset[name];
  };
  try {
    const stored = localStorage.getItem(place);
    if ([...select.options].some((option) => option.value === stored)) select.value = stored;
  } catch {
    // Private windows have no memory.
  }
  apply();
  select.addEventListener("change", () => {
    apply();
    try {
      localStorage.setItem(place, select.value);
    } catch {
      // As above.
    }
  });
}

/** Leaves only protocols that there are, and no choice where there is but one. */
function protocols() {
  const select = document.getElementById("protocol");
  const there = new Set([...document.querySelectorAll("[data-of]")].map((one) => one.dataset.of));
  for (const option of [...select.options]) {
    if (option.value && !there.has(option.value)) option.remove();
  }
  if (there.size > 1) choice("protocol");
  else select.closest("label").hidden = true;
}

/** What units of a table are worth in the smallest of their kind. */
const UNITS = { s: 1, min: 60, h: 3600, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** What a cell is sorted by: its first number, or its text; nothing for a dash. */
function key(cell, numeric) {
  const text = cell.textContent.trim();
  if (!text || text === "—") return null;
  if (!numeric) return text;
  const found = text.replaceAll(",", "").replace("−", "-").match(/([-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?)\s*([A-Za-z]*)/);
  return found ? Number(found[1]) * (UNITS[found[2]] ?? 1) : null;
}

/** Makes the headings of a table sort its rows: down, up, and as they were. */
function sortable(table) {
  const body = table.tBodies[0];
  const original = [...body.rows];
  const headings = [...table.querySelectorAll("th[data-column]")];
  for (const heading of headings) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    const column = Number(heading.dataset.column);
    // A column set to the right may hold words all the same.
    const numeric = heading.classList.contains("number")
      && original.some((row) => key(row.cells[column], true) !== null);
    const orders = numeric ? ["descending", "ascending"] : ["ascending", "descending"];
    button.addEventListener("click", () => {
      const next = orders[orders.indexOf(heading.getAttribute("aria-sort")) + 1];
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      if (!next) return body.append(...original);
      heading.setAttribute("aria-sort", next);
      const sign = next === "ascending" ? 1 : -1;
      const keyed = original.map((row) => [key(row.cells[column], numeric), row]);
      keyed.sort(([a], [b]) => {
        // What has no value comes last in both orders.
        if (a === null || b === null) return (a === null) - (b === null);
        return sign * (numeric ? a - b : a.localeCompare(b));
      });
      body.append(...keyed.map(([, row]) => row));
    });
  }
}

/** Shows the values of all lines at the place of a pointer, or of the arrow keys. */
function values(plot, axes) {
  const image = plot.querySelector("img");
  const cursor = document.createElement("div");
  cursor.className = "cursor";
  // One place to stop at: the picture's region gives way.
  plot.closest(".picture").removeAttribute("tabindex");
  const box = document.createElement("div");
  box.className = "values";
  box.setAttribute("role", "status");
  const hide = () => {
    cursor.hidden = box.hidden = true;
  };
  hide();
  plot.append(cursor, box);
  plot.tabIndex = 0;
  plot.setAttribute("role", "group");
  plot.setAttribute("aria-label", "Curves; the arrow keys move along them and tell values");

  const all = (axis) => [...new Set(axis.lines.flatMap((line) => line.points.map(([x]) => x)))].sort((a, b) => a - b);
  const digits = (value) => Number(value).toFixed(4);

  function show(axis, x, pointer) {
    const [left, top, right, bottom] = axis.place;
    const rows = axis.lines.map((line) => {
      const nearest = line.points.reduce((best, point) =>
        Math.abs(point[0] - x) < Math.abs(best[0] - x) ? point : best);
      return { line, nearest };
    });
    rows.sort((a, b) => b.nearest[1] - a.nearest[1]);
    const at = rows.reduce((best, { nearest }) =>
      Math.abs(nearest[0] - x) < Math.abs(best - x) ? nearest[0] : best, Infinity);
    const table = document.createElement("table");
    for (const { line, nearest: [place, mean, low, high] } of rows) {
      const row = table.insertRow();
      const swatch = document.createElement("i");
      swatch.style.background = line.color;
      row.insertCell().append(swatch, line.title);
      row.insertCell().textContent = digits(mean);
      row.insertCell().textContent = low < high ? `${digits(low)} to ${digits(high)}` : "";
      row.insertCell().textContent = place === at ? "" : `at ${place.toLocaleString("en")}`;
    }
    box.replaceChildren(`${axis.y_title} at ${axis.x_title} ${at.toLocaleString("en")}`, table);
    const share = left + (right - left) * (at - axis.x[0]) / (axis.x[1] - axis.x[0]);
    const [width, height] = [image.clientWidth, image.clientHeight];
    Object.assign(cursor.style, {
      left: `${share * width}px`, top: `${top * height}px`, height: `${(bottom - top) * height}px`,
    });
    cursor.hidden = box.hidden = false;
    // On a phone only a part of the picture is seen.
    const seen = plot.closest(".picture");
    const edge = Math.min(width, seen.scrollLeft + seen.clientWidth);
    const beside = share * width + 12;
    const fits = beside + box.offsetWidth <= edge;
    const leftmost = Math.max(0, fits ? beside : share * width - 12 - box.offsetWidth);
    box.style.left = `${Math.max(0, Math.min(leftmost, edge - box.offsetWidth))}px`;
    const highest = pointer === undefined ? top * height + 8 : pointer - box.offsetHeight / 2;
    box.style.top = `${Math.max(0, Math.min(highest, height - box.offsetHeight))}px`;
    current = { axis, x: at };
  }

  let current = null;
  plot.addEventListener("pointermove", (event) => {
    const frame = image.getBoundingClientRect();
    const x = (event.clientX - frame.left) / frame.width;
    const y = (event.clientY - frame.top) / frame.height;
    const axis = axes.find(({ place: [left, top, right, bottom] }) =>
      left <= x && x <= right && top <= y && y <= bottom);
    if (!axis) return hide();
    const share = (x - axis.place[0]) / (axis.place[2] - axis.place[0]);
    show(axis, axis.x[0] + share * (axis.x[1] - axis.x[0]), event.clientY - frame.top);
  });
  plot.addEventListener("pointerleave", hide);
  plot.addEventListener("blur", hide);
  plot.addEventListener("keydown", (event) => {
    const axis = current?.axis ?? axes[0];
    const places = all(axis);
    const now = current ? places.indexOf(current.x) : -1;
    const moves = {
      ArrowRight: () => show(axis, places[Math.min(now + 1, places.length - 1)]),
      ArrowLeft: () => show(axis, places[Math.max(now - 1, 0)]),
      ArrowDown: () => show(axes[Math.min(axes.indexOf(axis) + 1, axes.length - 1)], current?.x ?? places[0]),
      ArrowUp: () => show(axes[Math.max(axes.indexOf(axis) - 1, 0)], current?.x ?? places[0]),
      Escape: hide,
    };
    if (moves[event.key]) {
      event.preventDefault();
      moves[event.key]();
    }
  });
}

/** Keeps only the runs whose line has all of the words. */
function filter(input) {
  const runs = [...document.querySelectorAll("#runs details.run")].map((run) =>
    [run, run.querySelector("summary").textContent.toLowerCase()]);
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const [run, text] of runs) run.hidden = !words.every((word) => text.includes(word));
  });
}

document.querySelectorAll(".controls").forEach((controls) => {
  controls.hidden = false;
});
protocols();
choice("theme");
document.querySelectorAll("figure.table table").forEach(sortable);
document.querySelectorAll(".plot").forEach((plot) => {
  const data = plot.querySelector("script");
  const axes = data ? JSON.parse(data.textContent).filter((axis) => axis.lines.some((line) => line.points.length)) : [];
  for (const axis of axes) axis.lines = axis.lines.filter((line) => line.points.length);
  if (axes.length) values(plot, axes);
});
filter(document.getElementById("find-run"));
// A link to a run that is filtered out, or lies in a closed part, opens it.
function open() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  target.hidden = false;
  for (let part = target; part; part = part.parentElement?.closest("details")) part.open = true;
}
addEventListener("hashchange", open);
open();
