// Opens a report as its readers do and says what is wrong with it.
//
//   node check.mjs REPORT.html OUTPUT_FOLDER
//
// With the network cut and scripts off: no request but the file itself, no console error, no
// sideways scrolling at any width, headings and figures present, every figure's svg named,
// described and read in words, series told apart without colour, tables labelled, a policy that
// lets one style sheet and one script in, a printable A4 page. With its script: every control is
// reached by the keyboard, shows its focus and works, downloads come from the page itself, and the
// paper is the same. axe-core finds no violation with the script or without it. Screenshots and
// the PDF go to OUTPUT_FOLDER for a person to look at.
// CHROMIUM names the browser; the default is Debian's.

import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [report, folder] = process.argv.slice(2);
if (!report || !folder) {
  console.error("usage: node check.mjs REPORT.html OUTPUT_FOLDER");
  process.exit(2);
}
mkdirSync(folder, { recursive: true });
const address = pathToFileURL(resolve(report)).href;
const size_limit_bytes = 3 * 1024 * 1024;
const screens = [
  { name: "desktop", width: 1280, height: 900 },
  { name: "tablet", width: 768, height: 1024 },
  { name: "phone", width: 390, height: 844 },
];

let passed = 0;
const failures = [];
function expect(holds, what, detail = "") {
  if (holds) {
    passed += 1;
  } else {
    failures.push(detail ? `${what}: ${detail}` : what);
  }
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});

/** A page without a network that writes down every request, error and console complaint. */
async function open(options, body) {
  const context = await browser.newContext({ ...options, offline: true });
  const seen = { requests: [], complaints: [] };
  context.on("request", (request) => seen.requests.push(request.url()));
  await context.route("**/*", (route) =>
    route.request().url() !== address
      ? route.abort()
      : body
        ? route.fulfill({ body, contentType: "text/html; charset=utf-8" })
        : route.continue(),
  );
  const page = await context.newPage();
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) seen.complaints.push(message.text());
  });
  page.on("pageerror", (error) => seen.complaints.push(error.message));
  await page.goto(address, { waitUntil: "load", timeout: 30_000 });
  return { context, page, seen };
}

/** What stands on the page, read from its tree (works although the page's own scripts are off). */
function inventory() {
  const text = (node) => (node?.textContent ?? "").trim();
  const headings = [...document.querySelectorAll("h1,h2,h3,h4,h5,h6")];
  const levels = headings.map((heading) => Number(heading.tagName[1]));
  const svgs = [...document.querySelectorAll("svg")].filter(
    (svg) => svg.getAttribute("aria-hidden") !== "true",
  );
  return {
    title: document.title.trim(),
    language: document.documentElement.lang,
    first_headings: levels.filter((level) => level === 1).length,
    second_headings: levels.filter((level) => level === 2).length,
    empty_headings: headings.filter((heading) => !text(heading)).length,
    skipped_levels: levels.filter((level, at) => at > 0 && level > levels[at - 1] + 1).length,
    figures: document.querySelectorAll("figure").length,
    svgs: svgs.length,
    unnamed_svgs: svgs
      .filter((svg) => !text(svg.querySelector(":scope > title")) || !text(svg.querySelector(":scope > desc")))
      .map((svg) => svg.outerHTML.slice(0, 80)),
    unlabelled_tables: [...document.querySelectorAll("table")].filter(
      (table) => !text(table.querySelector("caption")) && !table.getAttribute("aria-label") && !table.getAttribute("aria-labelledby"),
    ).length,
    broken_numbers: (document.body.innerText.match(/\b(NaN|undefined|null|Infinity|inf)\b/g) ?? []).slice(0, 5),
    // Text right under a table or its notes needs a distance, and the notes themselves a small one.
    crowded: [...document.querySelectorAll("main > section > .scroll, main > section > .table-note")]
      .map((above) => [above, above.nextElementSibling])
      .filter(([, below]) => below && ["P", "UL", "OL", "DL"].includes(below.tagName))
      .filter(([above, below]) => {
        const gap = below.getBoundingClientRect().top - above.getBoundingClientRect().bottom;
        return gap < (below.classList.contains("table-note") ? 2 : 12);
      })
      .map(([, below]) => text(below).slice(0, 40)),
    unread_figures: [...document.querySelectorAll("figure")]
      .filter((figure) => text(figure.querySelector(".reading")).length < 20)
      .map((figure) => text(figure.querySelector("figcaption")).slice(0, 40)),
    figures_without_data: [...document.querySelectorAll("figure")].filter(
      (figure) => !figure.querySelector("details table tbody tr"),
    ).length,
    // What is left of each named line when colour is gone: its dashes and the shape of its markers.
    alike: [...document.querySelectorAll("svg")].flatMap((svg) => {
      const seen = new Map();
      return [...svg.querySelectorAll("[data-series]")].flatMap((group) => {
        const line = group.querySelector("polyline");
        const marks = [...group.querySelectorAll("circle,rect,polygon")];
        if (!line || (marks.length === 0 && svg.querySelectorAll("[data-series]").length > 8)) return [];
        const shape = marks[0] ? `${marks[0].tagName}${(marks[0].getAttribute("points") ?? "").split(" ").length}` : "none";
        const look = `${line.getAttribute("stroke-dasharray") ?? "solid"} ${shape}`;
        const name = group.dataset.series;
        // Lines of single hospitals are one series: thin, without markers.
        if (shape === "none" && look.startsWith("1 ")) return [];
        // The same name is the same series in another panel.
        const other = seen.get(look);
        seen.set(look, name);
        return other && other !== name ? [`${other} and ${name} (${look})`] : [];
      });
    }),
    withheld: text(document.getElementById("withheld")),
    not_shown: text(document.getElementById("not-shown")),
    glossary: text(document.getElementById("glossary")),
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    outside: [...document.querySelectorAll("[src],link[href],[style*='url(']")]
      .map((node) => node.getAttribute("src") ?? node.getAttribute("href") ?? node.getAttribute("style"))
      .filter((target) => !target.startsWith("data:") && !target.startsWith("#")),
  };
}

function judge(found, screen) {
  const at = `at ${screen.width} px`;
  expect(found.title.length > 0, `${at}: the page has a title`);
  expect(found.language.length >= 2, `${at}: the page says its language`);
  expect(found.first_headings === 1, `${at}: one first heading`, `${found.first_headings}`);
  expect(found.second_headings >= 3, `${at}: sections have headings`, `${found.second_headings}`);
  expect(found.empty_headings === 0, `${at}: no empty heading`, `${found.empty_headings}`);
  expect(found.skipped_levels === 0, `${at}: heading levels are not skipped`, `${found.skipped_levels}`);
  expect(found.figures >= 1 && found.svgs >= 1, `${at}: figures are present`, `${found.figures} figures, ${found.svgs} svg`);
  expect(found.unnamed_svgs.length === 0, `${at}: every svg has title and desc`, found.unnamed_svgs.join(" | "));
  expect(found.unlabelled_tables === 0, `${at}: every table has a caption or label`, `${found.unlabelled_tables} without`);
  expect(found.broken_numbers.length === 0, `${at}: no broken number in the text`, found.broken_numbers.join(", "));
  expect(found.overflow <= 0, `${at}: no sideways scrolling`, `${found.overflow} px too wide`);
  expect(found.crowded.length === 0, `${at}: text keeps a distance from the table above it`, found.crowded.slice(0, 3).join(" | "));
  expect(found.withheld.endsWith("What was withheld"), `${at}: the report says what was withheld`);
  expect(found.unread_figures.length === 0, `${at}: every figure is read in words`, found.unread_figures.join(" | "));
  expect(found.figures_without_data === 0, `${at}: every figure has its data`, `${found.figures_without_data} without`);
  expect(found.alike.length === 0, `${at}: lines differ in dash or marker`, found.alike.slice(0, 3).join(" | "));
  expect(found.not_shown.endsWith("What this report does not show"), `${at}: the report says what it does not show`);
  expect(found.glossary.endsWith("Glossary"), `${at}: the report has a glossary`);
  expect(found.outside.length === 0, `${at}: nothing is loaded from elsewhere`, found.outside.slice(0, 3).join(" "));
}

function judge_traffic(seen, label) {
  const others = seen.requests.filter((url) => url !== address && !/^(data|blob):/.test(url));
  expect(others.length === 0, `${label}: no request but the file itself`, others.slice(0, 3).join(" "));
  expect(seen.complaints.length === 0, `${label}: console without errors`, seen.complaints.slice(0, 3).join(" | "));
}

/** One style sheet and one script by their digests, and nothing else. */
function judge_policy(html) {
  const policy = html.match(/http-equiv="Content-Security-Policy" content="([^"]*)"/)?.[1] ?? "";
  const text = policy.replace(/&#(?:39|x27);/g, "'").replace(/&#(?:43|x2b);/gi, "+");
  const known =
    /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]{44}'; script-src 'sha256-[A-Za-z0-9+/=]{44}'; base-uri 'none'; form-action 'none'$/;
  expect(known.test(text), "the policy lets one style sheet and one script in", text);
  const script = html.match(/<script>([^]*?)<\/script>/)?.[1] ?? "";
  expect(script.length > 0 && script.length <= 15_000, "the script is at most 15 kB", `${script.length} characters`);
}

async function judge_axe(label, body) {
  const { context, page, seen } = await open({ viewport: { width: 1280, height: 900 } }, body);
  const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
  await page.evaluate(readFileSync(axe, "utf8"));
  const found = await page.evaluate(() => globalThis.axe.run(document));
  const violations = found.violations.map(
    (violation) => `${violation.id} (${violation.impact}) x${violation.nodes.length}: ${violation.nodes[0].html.slice(0, 120)}`,
  );
  writeFileSync(join(folder, `axe-${label.split(" ")[0]}.json`), JSON.stringify(found.violations, null, 2));
  expect(violations.length === 0, `${label}: axe-core finds no violation`, violations.join("\n          "));
  expect(found.passes.length > 5, `${label}: axe-core looked at the page`, `${found.passes.length} rules applied`);
  judge_traffic(seen, label);
  await context.close();
}

/** What the keyboard ought to reach, and whether each shows that it is reached. */
async function judge_tabs(page, at) {
  const wanted = await page.evaluate(() => {
    const all = document.querySelectorAll("a[href],button,select,input,summary,[tabindex='0']");
    const shown = [...all].filter((node) => node.checkVisibility() && !node.disabled);
    shown.forEach((node, index) => (node.dataset.stop = String(index)));
    return shown.length;
  });
  await page.evaluate(() => {
    window.scrollTo(0, 0);
    document.activeElement?.blur();
  });
  const reached = new Set();
  const dim = [];
  for (let count = 0; count < wanted + 5 && reached.size < wanted; count += 1) {
    await page.keyboard.press("Tab");
    const now = await page.evaluate(() => {
      const node = document.activeElement;
      const style = getComputedStyle(node);
      const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
      return { stop: node.dataset?.stop, outlined, what: node.outerHTML.slice(0, 60) };
    });
    if (now.stop === undefined) continue;
    reached.add(now.stop);
    if (!now.outlined) dim.push(now.what);
  }
  expect(reached.size === wanted, `${at}: the keyboard reaches every control`, `${reached.size} of ${wanted}`);
  expect(dim.length === 0, `${at}: every control shows its focus`, dim.slice(0, 3).join(" | "));
}

async function downloaded(page, selector) {
  const [download] = await Promise.all([
    page.waitForEvent("download", { timeout: 10_000 }),
    page.locator(selector).first().press("Enter"),
  ]);
  return { name: download.suggestedFilename(), text: readFileSync(await download.path(), "utf8") };
}

/** The report's own script, by keyboard alone. */
async function judge_script(screen) {
  const at = `at ${screen.width} px, with its script`;
  const { context, page, seen } = await open({ viewport: { width: screen.width, height: screen.height } });
  const found = await page.evaluate(inventory);
  expect(found.overflow <= 0, `${at}: no sideways scrolling`, `${found.overflow} px too wide`);
  const controls = await page.evaluate(() => {
    const all = [...document.querySelectorAll(".aids select,.aids button,.aids input,.tools select")];
    const shown = all.filter((node) => node.checkVisibility());
    return {
      count: shown.length,
      unnamed: shown.filter((node) => !node.getAttribute("aria-label")).length,
      small: shown.filter((node) => node.tagName !== "INPUT" && node.getBoundingClientRect().height < 24).length,
    };
  });
  expect(controls.count > 10, `${at}: there are controls`, `${controls.count}`);
  expect(controls.unnamed === 0, `${at}: every control has a name`, `${controls.unnamed} without`);
  expect(controls.small === 0, `${at}: every control is at least 24 px high`, `${controls.small} are smaller`);
  if (screen.width === 1280) await judge_tabs(page, at);
  if ((await page.locator(".tools select").count()) === 0) {
    expect(false, `${at}: a hospital can be highlighted`);
    await context.close();
    return;
  }

  await page.locator(".tools select").focus();
  await page.keyboard.press("ArrowDown");
  const marked = await page.evaluate(() => ({
    body: document.body.classList.contains("marked"),
    figures: document.querySelectorAll("svg .on").length,
    rows: document.querySelectorAll("tr.on").length,
    said: document.querySelector(".tools .said").textContent,
  }));
  expect(marked.body && marked.figures > 0 && marked.rows > 0, `${at}: a hospital is highlighted`, JSON.stringify(marked));
  expect(marked.said.includes("highlighted"), `${at}: the highlight is announced`, marked.said);
  await page.screenshot({ path: join(folder, `${screen.name}-script.png`) });

  const orders = page.locator("figure .aids select[aria-label^='Order of rows']");
  if ((await orders.count()) > 0) {
    await orders.first().focus();
    for (const key of ["ArrowDown", "ArrowDown", "ArrowDown"]) await page.keyboard.press(key);
    const names = await page.evaluate(() => {
      const figure = [...document.querySelectorAll("figure")].find((one) => one.querySelector("[data-row]") && one.querySelector("select[aria-label^='Order of rows']"));
      const rows = [...figure.querySelectorAll("[data-row]")];
      const block = rows.filter((row) => row.dataset.block === rows[0].dataset.block);
      const top = (row) => row.getBoundingClientRect().top;
      return block.sort((a, b) => top(a) - top(b)).map((row) => row.dataset.site);
    });
    const sorted = [...names].sort((a, b) => a.localeCompare(b, "en"));
    expect(names.length > 1 && names.join() === sorted.join(), `${at}: rows of a forest plot are ordered by name`, names.join(", "));
  }
  const tables = page.locator("section > .aids select[aria-label^='Order of rows']");
  if ((await tables.count()) > 0) {
    await tables.first().focus();
    await page.keyboard.press("ArrowDown");
    expect((await page.locator("th[aria-sort]").count()) === 1, `${at}: a table is ordered and says so`);
  }
  const left = page.locator("select[aria-label^='Hospital left out']");
  if ((await left.count()) > 0) {
    await left.first().focus();
    await page.keyboard.press("ArrowDown");
    const shown = await page.evaluate(() => [...document.querySelectorAll(".step")].filter((step) => getComputedStyle(step).display !== "none").length);
    expect(shown === 1, `${at}: the mean without one hospital is shown`, `${shown}`);
  }
  const range = page.locator("figure .aids input[type=range]");
  if ((await range.count()) > 0) {
    await range.first().focus();
    for (let count = 0; count < 3; count += 1) await page.keyboard.press("ArrowRight");
    const out = await page.locator("figure .aids output").first().textContent();
    expect(/\d\.\d\d, .*\d\.\d\d$/.test(out), `${at}: a point of a line is read off`, out);
  }
  const svg = await downloaded(page, "figure .aids button:has-text('SVG')");
  expect(/^figure-\d+\.svg$/.test(svg.name) && svg.text.startsWith("<svg") && svg.text.includes("<title"), `${at}: a figure is downloaded`, svg.name);
  const csv = await downloaded(page, "figure .aids button:has-text('CSV')");
  const rows = await page.evaluate(() => document.querySelector("figure details table").querySelectorAll("tr").length);
  expect(csv.name.endsWith(".csv") && csv.text.trim().split("\n").length === rows, `${at}: its data are downloaded`, csv.name);
  judge_traffic(seen, at);
  await context.close();
}

/** Whatever was ordered and highlighted, the paper says what it says without the script. */
async function judge_paper(bare) {
  const text = async (body, use) => {
    const { context, page } = await open({ viewport: { width: 680, height: 1009 } }, body);
    if (use) {
      await page.evaluate(() => {
        for (const list of document.querySelectorAll("select")) {
          if (list.options.length < 2) continue;
          list.selectedIndex = 1;
          list.dispatchEvent(new Event("change"));
        }
      });
    }
    await page.emulateMedia({ media: "print" });
    await page.evaluate(() => window.dispatchEvent(new Event("beforeprint")));
    const found = await page.evaluate(() => ({
      text: document.body.innerText,
      moved: document.querySelectorAll("svg [data-row][transform]").length,
      aids: [...document.querySelectorAll(".aids,.tools,.step")].filter((node) => getComputedStyle(node).display !== "none").length,
    }));
    await context.close();
    return found;
  };
  const [used, plain] = [await text(undefined, true), await text(bare, false)];
  expect(used.aids === 0 && used.moved === 0, "on paper: no aid is printed and every row is where it was", JSON.stringify([used.aids, used.moved]));
  expect(used.text === plain.text, "on paper: the text is the same with the script and without it");
}

try {
  const bytes = statSync(report).size;
  expect(bytes <= size_limit_bytes, "the file is at most 3 MiB", `${bytes} bytes`);

  for (const screen of screens) {
    const { context, page, seen } = await open({
      javaScriptEnabled: false,
      viewport: { width: screen.width, height: screen.height },
    });
    judge(await page.evaluate(inventory), screen);
    await page.screenshot({ path: join(folder, `${screen.name}.png`), fullPage: true });
    await page.screenshot({ path: join(folder, `${screen.name}-first-screen.png`) });
    judge_traffic(seen, `at ${screen.width} px, scripts off`);
    await context.close();
  }

  // A4 at 96 dots per inch less 15 mm margins on each side is 680 px wide.
  const paper = await open({ javaScriptEnabled: false, viewport: { width: 680, height: 1009 } });
  await paper.page.emulateMedia({ media: "print" });
  const printed = await paper.page.evaluate(inventory);
  expect(printed.overflow <= 0, "on paper: nothing is cut off at the right", `${printed.overflow} px too wide`);
  await paper.page.screenshot({ path: join(folder, "print.png"), fullPage: true });
  const pdf = await paper.page.pdf({ format: "A4", printBackground: true });
  writeFileSync(join(folder, "print.pdf"), pdf);
  expect(pdf.length > 10_000, "on paper: the PDF is not empty", `${pdf.length} bytes`);
  judge_traffic(paper.seen, "on paper");
  await paper.context.close();

  judge_policy(readFileSync(report, "utf8"));
  const bare = readFileSync(report, "utf8").replace(/<script>[^]*?<\/script>/, "");
  await judge_axe("without its script", bare);
  await judge_axe("with its script");
  for (const screen of screens) await judge_script(screen);
  await judge_paper(bare);
} finally {
  await browser.close();
}

for (const failure of failures) console.log(`failed    ${failure}`);
console.log(`pictures  ${resolve(folder)}`);
console.log(`browser: ${passed} passed, ${failures.length} failed`);
process.exit(failures.length === 0 ? 0 : 1);
