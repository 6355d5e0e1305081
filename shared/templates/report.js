// Reading aids. The report is complete without them: nothing here computes a number, fetches or
// stores anything, and on paper the page is as it was.
(() => {
  "use strict";
  const main = document.getElementById("main");
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (tag, attributes = {}, text = "") => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.textContent = text;
    return node;
  };
  const undo = [];

  // A list to choose from, with its name in front of it.
  const choice = (name, full, options, change) => {
    const label = make("label", {}, `${name} `);
    const list = make("select", { "aria-label": full });
    options.forEach((option, at) => {
      const node = make("option", {}, option);
      node.value = String(at);
      list.append(node);
    });
    list.addEventListener("change", () => change(Number(list.value)));
    label.append(list);
    undo.push(() => {
      if (list.value !== "0") {
        list.value = "0";
        change(0);
      }
    });
    return { label, list };
  };

  const button = (text, full, press) => {
    const node = make("button", { type: "button", "aria-label": full }, text);
    node.addEventListener("click", press);
    return node;
  };

  const save = (name, type, text) => {
    const address = URL.createObjectURL(new Blob([text], { type }));
    const link = make("a", { href: address, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  };

  const file = (label) => label.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");

  // One field of a CSV file; text that a spreadsheet would run is led by an apostrophe.
  const field = (node) => {
    const sub = node.querySelector(".sub");
    const own = [...node.childNodes].filter((part) => part !== sub);
    let text = own.map((part) => part.textContent).join("").trim();
    if (sub) text = `${text} ${sub.textContent.trim()}`;
    text = text.replace(/\u2212/g, "-").replace(/[\u00a0\u2009]/g, " ");
    if (/^[=+@\t-]/.test(text) && !/^[+-]?[\d.]/.test(text)) text = `'${text}`;
    return /[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  };
  const csv = (table) =>
    `${all("tr", table).map((row) => [...row.cells].map(field).join(",")).join("\n")}\n`;

  // Highlights one hospital in every figure and table.
  const sites = (main.dataset.sites || "").split("|").filter(Boolean);
  let marked = "";
  const mark = (name) => {
    marked = name;
    document.body.classList.toggle("marked", name !== "");
    for (const node of all("[data-site]")) node.classList.toggle("on", node.dataset.site === name);
    for (const head of all("tbody th[scope=row]")) {
      head.parentNode.classList.toggle("on", name !== "" && head.textContent.trim() === name);
    }
    said.textContent = name === "" ? "" : `${name} is highlighted.`;
  };
  const said = make("span", { role: "status", class: "said" });
  if (sites.length > 0) {
    const tools = make("div", { class: "tools", role: "group", "aria-label": "Reading aids" });
    const { label, list } = choice("Highlight", "Highlight a hospital", ["all hospitals alike", ...sites], (at) =>
      mark(at === 0 ? "" : sites[at - 1]),
    );
    tools.append(label, said);
    main.prepend(tools);
    // A hospital's own copy begins with its own rows.
    const own = sites.indexOf(main.dataset.own ?? "");
    if (own >= 0) {
      list.value = String(own + 1);
      mark(sites[own]);
    }
    main.addEventListener("click", (event) => {
      const hit = event.target.closest("svg [data-site]");
      const at = hit ? sites.indexOf(hit.dataset.site) : -1;
      if (at < 0) return;
      const next = marked === sites[at] ? 0 : at + 1;
      list.value = String(next);
      mark(next === 0 ? "" : sites[at]);
    });
  }

  // Forest plots: rows of one block change places.
  const orders = ["as listed", "by value", "by weight", "by name"];
  const order = (rows, at) => {
    const blocks = new Map();
    for (const row of rows) {
      const block = row.dataset.block || "";
      blocks.set(block, [...(blocks.get(block) || []), row]);
    }
    const size = (text) => (text === undefined ? -Infinity : Number(text));
    for (const block of blocks.values()) {
      const places = block.map((row) => Number(row.dataset.row));
      const sorted = [...block];
      if (at === 1) sorted.sort((a, b) => size(b.dataset.v) - size(a.dataset.v));
      if (at === 2) sorted.sort((a, b) => size(b.dataset.w) - size(a.dataset.w));
      if (at === 3) sorted.sort((a, b) => a.dataset.site.localeCompare(b.dataset.site, "en"));
      sorted.forEach((row, index) => {
        const shift = places[index] - Number(row.dataset.row);
        if (shift === 0) row.removeAttribute("transform");
        else row.setAttribute("transform", `translate(0 ${shift})`);
      });
    }
  };

  // Curves: a point of a line as numbers.
  const reader = (figure, svg, label) => {
    const [left, right, bottom, top, x0, x1, y0, y1] = svg.dataset.scale.split(" ").map(Number);
    const [across, up] = svg.dataset.axes.split("|");
    const series = all("[data-series]", svg)
      .map((group) => {
        const line = group.querySelector("polyline");
        const points = line ? line.getAttribute("points").trim().split(" ").map((pair) => pair.split(",").map(Number)) : [];
        return { name: group.dataset.series, points };
      })
      .filter(({ points }) => points.length > 1 && points.every(([, y]) => y >= top - 1 && y <= bottom + 1));
    if (series.length === 0) return [];
    const probe = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    probe.setAttribute("r", "6");
    probe.setAttribute("class", "probe");
    svg.append(probe);
    const out = make("output", { class: "said", "aria-live": "polite" });
    const along = make("input", { type: "range", min: "0", value: "0", "aria-label": `Position on the line, ${label}` });
    let now = series[0];
    const show = () => {
      const [x, y] = now.points[Number(along.value)];
      const number = (value) => value.toFixed(2);
      const text = `${now.name}: ${across} ${number(x0 + ((x - left) / (right - left)) * (x1 - x0))}, ${up} ${number(y0 + ((y - bottom) / (top - bottom)) * (y1 - y0))}`;
      probe.setAttribute("cx", x);
      probe.setAttribute("cy", y);
      svg.classList.add("probing");
      out.textContent = text;
      along.setAttribute("aria-valuetext", text);
    };
    const take = (at) => {
      now = series[at];
      along.max = String(now.points.length - 1);
      along.value = String(Math.min(Number(along.value), now.points.length - 1));
    };
    const { label: names, list } = choice("Read off", `Line to read off, ${label}`, series.map(({ name }) => name), (at) => {
      take(at);
      show();
    });
    take(0);
    along.addEventListener("input", show);
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const wide = svg.viewBox.baseVal.width / box.width;
      const [x, y] = [(event.clientX - box.left) * wide, (event.clientY - box.top) * wide];
      let best = [144, 0, 0];
      series.forEach(({ points }, line) =>
        points.forEach(([px, py], at) => {
          const far = (px - x) ** 2 + (py - y) ** 2;
          if (far < best[0]) best = [far, line, at];
        }),
      );
      if (best[0] < 144) {
        list.value = String(best[1]);
        take(best[1]);
        along.value = String(best[2]);
        show();
      }
    });
    undo.push(() => svg.classList.remove("probing"));
    return [names, along, out];
  };

  for (const figure of all("figure")) {
    const svg = figure.querySelector("svg");
    const label = figure.querySelector("figcaption b").textContent.replace(/\.$/, "");
    const aids = make("div", { class: "aids", role: "group", "aria-label": `Aids for ${label}` });
    const rows = all("[data-row]", svg);
    if (rows.length > 2) {
      aids.append(choice("Order", `Order of rows, ${label}`, orders, (at) => order(rows, at)).label);
    }
    const steps = all(".step", svg);
    if (steps.length > 0) {
      const names = steps.map((step) => step.dataset.without);
      const step = (at) => {
        svg.classList.toggle("stepping", at > 0);
        steps.forEach((node, index) => node.classList.toggle("on", index === at - 1));
        for (const row of rows) row.classList.toggle("out", at > 0 && row.dataset.site === names[at - 1]);
      };
      aids.append(choice("Leave out", `Hospital left out, ${label}`, ["nobody", ...names], step).label);
    }
    if (svg.dataset.scale) aids.append(...reader(figure, svg, label));
    aids.append(
      button("SVG", `Download ${label} as SVG`, () => {
        const copy = svg.cloneNode(true);
        copy.setAttribute("font-family", "sans-serif");
        for (const node of all(".step,.probe", copy)) node.remove();
        save(`${file(label)}.svg`, "image/svg+xml", copy.outerHTML);
      }),
    );
    const table = figure.querySelector("table");
    if (table) {
      aids.append(button("CSV", `Download the data of ${label} as CSV`, () => save(`${file(label)}.csv`, "text/csv", csv(table))));
    }
    figure.querySelector("figcaption").before(aids);
  }

  // Tables: rows of one group change places; rows of a pool stay where they are.
  const value = (row, column) => {
    const text = (row.cells[column]?.textContent || "").replace(/\u2212/g, "-").replace(/\u2009/g, "");
    const found = text.match(/-?\d+(\.\d+)?/);
    return { text: text.trim(), number: found ? Number(found[0]) : NaN };
  };
  for (const scroll of all(".scroll")) {
    const table = scroll.querySelector(":scope > table");
    if (!table || table.closest("details")) continue;
    const bodies = [...table.tBodies].map((body) => ({ body, rows: [...body.rows] }));
    const plain = (row) => !row.matches(".group,.pool");
    const heads = [...table.tHead.rows[0].cells].filter((head) => head.tagName === "TH");
    const label = table.caption.querySelector("b").textContent.replace(/\.$/, "");
    const aids = make("div", { class: "aids", role: "group", "aria-label": `Aids for ${label}` });
    if (bodies.some(({ rows }) => rows.filter(plain).length > 2)) {
      const names = heads.map((head) => head.textContent.trim());
      const sort = (at) => {
        const column = at > 0 ? heads[at - 1].cellIndex : -1;
        for (const head of heads) {
          if (head.cellIndex === column) head.setAttribute("aria-sort", column === 0 ? "ascending" : "descending");
          else head.removeAttribute("aria-sort");
        }
        for (const { body, rows } of bodies) {
          const sorted = rows.filter(plain);
          const key = new Map(sorted.map((row) => [row, value(row, column)]));
          const by = (a, b) => {
            const [one, other] = [key.get(a), key.get(b)];
            if (column === 0) return one.text.localeCompare(other.text, "en", { numeric: true });
            if (Number.isNaN(one.number) || Number.isNaN(other.number)) {
              return Number(Number.isNaN(one.number)) - Number(Number.isNaN(other.number));
            }
            return other.number - one.number;
          };
          if (at > 0) sorted.sort(by);
          let next = 0;
          const placed = rows.map((row) => (plain(row) ? sorted[next++] : row));
          body.append(...placed);
        }
      };
      aids.append(choice("Order", `Order of rows, ${label}`, ["as listed", ...names.map((name) => `by ${name}`)], sort).label);
    }
    aids.append(button("CSV", `Download ${label} as CSV`, () => save(`${file(label)}.csv`, "text/csv", csv(table))));
    scroll.after(aids);
  }

  // Paper shows the page as it is without the aids.
  window.addEventListener("beforeprint", () => undo.forEach((one) => one()));
})();
