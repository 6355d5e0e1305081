// Opens a report as its readers do and says what is wrong with it.
//
//   node check.mjs REPORT.html OUTPUT_FOLDER
//
// With the network cut and scripts off: no request but the file itself, no console error, no
// sideways scrolling at 390 px, headings and figures present, every figure's svg named and
// described, tables labelled, a printable A4 page. Then once with scripts on: axe-core finds no
// violation. Screenshots and the PDF go to OUTPUT_FOLDER for a person to look at.
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
async function open(options) {
  const context = await browser.newContext({ ...options, offline: true });
  const seen = { requests: [], complaints: [] };
  context.on("request", (request) => seen.requests.push(request.url()));
  await context.route("**/*", (route) =>
    route.request().url() === address ? route.continue() : route.abort(),
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
    withheld: text(document.getElementById("withheld")),
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
  expect(found.outside.length === 0, `${at}: nothing is loaded from elsewhere`, found.outside.slice(0, 3).join(" "));
}

function judge_traffic(seen, label) {
  const others = seen.requests.filter((url) => url !== address && !url.startsWith("data:"));
  expect(others.length === 0, `${label}: no request but the file itself`, others.slice(0, 3).join(" "));
  expect(seen.complaints.length === 0, `${label}: console without errors`, seen.complaints.slice(0, 3).join(" | "));
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

  const { context, page, seen } = await open({ viewport: { width: 1280, height: 900 } });
  const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
  await page.evaluate(readFileSync(axe, "utf8"));
  const found = await page.evaluate(() => globalThis.axe.run(document));
  const violations = found.violations.map(
    (violation) => `${violation.id} (${violation.impact}) x${violation.nodes.length}: ${violation.nodes[0].html.slice(0, 120)}`,
  );
  writeFileSync(join(folder, "axe.json"), JSON.stringify(found.violations, null, 2));
  expect(violations.length === 0, "axe-core finds no violation", violations.join("\n          "));
  expect(found.passes.length > 5, "axe-core looked at the page", `${found.passes.length} rules applied`);
  judge_traffic(seen, "scripts on");
  await context.close();
} finally {
  await browser.close();
}

for (const failure of failures) console.log(`failed    ${failure}`);
console.log(`pictures  ${resolve(folder)}`);
console.log(`browser: ${passed} passed, ${failures.length} failed`);
process.exit(failures.length === 0 ? 0 : 1);
