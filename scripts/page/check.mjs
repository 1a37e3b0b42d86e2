// What scripts/page/check runs: check.mjs PAGE HOSTILE_PAGE FOLDER_FOR_SCREENSHOTS
import { readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { HtmlValidate } from "html-validate";
import { chromium } from "playwright-core";

const [page_file, hostile_file, folder] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };
const MOST_BYTES = 3_000_000;

let failures = 0;
function check(name, holds, detail = "") {
  console.log(`${holds ? "ok    " : "FAILED"} ${name}${holds || !detail ? "" : `: ${detail}`}`);
  if (!holds) failures += 1;
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run"],
});

/** Opens a file, and tells of all that went wrong in it and of all that it asked for. */
async function open(file, options = {}) {
  const context = await browser.newContext({ viewport: DESKTOP, ...options });
  const page = await context.newPage();
  const seen = { errors: [], requests: [] };
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) seen.errors.push(message.text());
  });
  page.on("pageerror", (error) => seen.errors.push(String(error)));
  const url = pathToFileURL(file).href;
  page.on("request", (request) => {
    if (request.url() !== url && !request.url().startsWith("data:")) seen.requests.push(request.url());
  });
  await page.goto(url);
  return { page, seen, close: () => context.close() };
}

async function accessible(page, name) {
  // axe-core runs in the page; the test's context may evaluate it although the page loads nothing.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document));
  const serious = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  check(`${name}: axe-core finds nothing serious`, serious.length === 0,
    serious.map(({ id, nodes }) => `${id} at ${nodes[0].html.slice(0, 120)} (${nodes.length}×)`).join("; "));
}

const visible = (page, selector) => page.locator(`${selector}:visible`).count();

// The page as a desktop shows it.
{
  const { page, seen, close } = await open(page_file);
  check("size is below 3 MB", statSync(page_file).size < MOST_BYTES, `${statSync(page_file).size} bytes`);
  await page.screenshot({ path: join(folder, "desktop.png") });
  await page.screenshot({ path: join(folder, "desktop-whole.png"), fullPage: true });

  const table = page.locator("figure.table:visible table").filter({ has: page.locator("th.number[data-column]") }).first();
  const column = Number(await table.locator("th.number[data-column]").first().getAttribute("data-column"));
  const texts = () => table.locator("tbody tr").evaluateAll((rows, at) => rows.map((row) => row.cells[at].textContent), column);
  const numbers = (values) => values.map((text) => text.match(/[-+]?[\d,]*\.?\d+/)?.[0].replaceAll(",", "")).filter(Boolean).map(Number);
  const before = await texts();
  const button = table.locator(`th[data-column="${column}"] button`);
  await button.click();
  const down = numbers(await texts());
  check("a click sorts down", down.length > 1 && down.every((value, at) => at === 0 || down[at - 1] >= value), down.join(" "));
  check("a sorted heading says so", await table.locator("th[aria-sort=descending]").count() === 1);
  await button.press("Enter");
  const up = numbers(await texts());
  check("a key sorts up", up.every((value, at) => at === 0 || up[at - 1] <= value), up.join(" "));
  await button.click();
  check("a third click brings the order back", JSON.stringify(await texts()) === JSON.stringify(before));

  const protocols = await page.locator("[data-of]").evaluateAll((all) => [...new Set(all.map((one) => one.dataset.of))]);
  if (protocols.length < 2) check("with one protocol there is no switch", !(await page.locator("#protocol").isVisible()));
  for (const protocol of protocols.length < 2 ? [] : protocols) {
    await page.selectOption("#protocol", protocol);
    const other = protocol === "authors" ? "held-out" : "authors";
    const shown = await visible(page, `[data-of="${protocol}"]`);
    check(`the switch to ${protocol} hides the other protocol`, await visible(page, `[data-of="${other}"]`) === 0
      && shown > 0);
  }
  if (protocols.length > 1) await page.selectOption("#protocol", "");
  check("both protocols come back", (await Promise.all(protocols.map((one) => visible(page, `[data-of="${one}"]`)))).every(Boolean));

  const plot = page.locator(".plot:has(script)").first();
  const values = plot.locator(".values");
  const box = await plot.boundingBox();
  await plot.scrollIntoViewIfNeeded();
  await plot.locator("img").hover({ position: { x: box.width / 2, y: Math.min(200, box.height / 3) } });
  check("a pointer over curves tells values", await values.isVisible() && /\d\.\d{4}/.test(await values.innerText()));
  await page.screenshot({ path: join(folder, "values.png") });
  await page.mouse.move(0, 0);
  check("they go with the pointer", !(await values.isVisible()));
  await plot.focus();
  await page.keyboard.press("ArrowRight");
  const first = await values.innerText();
  await page.keyboard.press("ArrowRight");
  check("arrow keys tell values", /\d\.\d{4}/.test(first) && first !== await values.innerText(), first);
  await page.keyboard.press("Escape");

  await page.locator("#all-runs > summary").click();
  const runs = () => visible(page, "#runs details.run[id^=run-]");
  const all = await runs();
  await page.fill("#find-run", "din_dice no-such-run");
  check("words find runs", all > 0 && await runs() === 0);
  await page.fill("#find-run", "");
  check("no words find all of them", await runs() === all);
  const link = await page.locator("details a[href^='#run-']").first().getAttribute("href");
  await page.evaluate((to) => { location.hash = to; }, link);
  check("a link to a run opens it", await page.locator(`details[id="${link.slice(1)}"][open]`).count() === 1);

  // Seconds, minutes and hours in one order.
  const times = await page.evaluate(() => {
    const parse = (text) => {
      const [, number, unit] = text.match(/([\d.]+)\s*(\w+)/);
      return Number(number) * { s: 1, min: 60, h: 3600 }[unit];
    };
    const heading = [...document.querySelectorAll("#cost th[data-column]")].find((one) => one.textContent.startsWith("training time"));
    heading.querySelector("button").click();
    const rows = [...document.querySelector("#cost tbody").rows];
    return rows.map((row) => row.cells[heading.dataset.column].textContent).filter((text) => /\d/.test(text)).map(parse);
  });
  check("times sort across their units", times.length > 1 && times.every((time, at) => at === 0 || times[at - 1] >= time), times.join(" "));

  check("figures 5 and 6 are there", await visible(page, "#figure5 img") > 0 && await visible(page, "#figure6 img") > 0);

  const ids = await page.evaluate(() => [...document.querySelectorAll("a[href^='#']")]
    .map((one) => decodeURIComponent(one.getAttribute("href").slice(1))).filter((id) => !document.getElementById(id)));
  check("no link leads nowhere", ids.length === 0, ids.slice(0, 3).join(" "));

  await page.selectOption("#theme", "light");
  await accessible(page, "light");
  await page.selectOption("#theme", "dark");
  const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  check("dark is dark", background.match(/\d+/g).slice(0, 3).every((part) => Number(part) < 60), background);
  await accessible(page, "dark");
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: join(folder, "dark.png") });
  await page.emulateMedia({ media: "print" });
  check("on paper there are no controls", await visible(page, "nav") + await visible(page, ".controls") === 0);
  check("no error in the console", seen.errors.length === 0, seen.errors.join("; "));
  check("no request to anywhere", seen.requests.length === 0, seen.requests.join(" "));
  await close();
}

// On a phone.
{
  const { page, seen, close } = await open(page_file, { viewport: PHONE, deviceScaleFactor: 2, hasTouch: true, isMobile: true });
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  check("a phone need not scroll sideways", width <= PHONE.width, `${width} pixels`);
  const plot = page.locator(".plot:has(script)").first();
  await plot.focus();
  await page.keyboard.press("ArrowRight");
  const [seen_part, box] = [await page.locator(".picture:has(.values:visible)").boundingBox(), await plot.locator(".values").boundingBox()];
  check("values fit what a phone shows of a picture", box.x >= seen_part.x - 1 && box.x + box.width <= seen_part.x + seen_part.width + 1);
  await page.keyboard.press("Escape");
  await accessible(page, "phone");
  await page.screenshot({ path: join(folder, "phone.png") });
  await page.screenshot({ path: join(folder, "phone-whole.png"), fullPage: true, scale: "css" });
  check("no error on a phone", seen.errors.length === 0, seen.errors.join("; "));
  await close();
}

// Without scripts.
{
  const { page, close } = await open(page_file, { javaScriptEnabled: false });
  check("without scripts there are tables, pictures and runs", await visible(page, "table") > 2
    && await visible(page, "img") > 0 && await page.locator("details.run").count() > 0);
  check("without scripts there is no dead control", await visible(page, ".controls") === 0);
  await close();
}

// Records with markup in their names.
{
  const { page, seen, close } = await open(hostile_file);
  check("names with markup run nothing", await page.evaluate(() => globalThis.hacked) === undefined);
  check("names with markup are shown", (await page.locator("main").innerText()).includes("<img src=x onerror="));
  check("names with markup load nothing", seen.requests.length === 0, seen.requests.join(" "));
  await close();
}
await browser.close();

const validator = new HtmlValidate({
  extends: ["html-validate:standard"],
  // Of style alone: a table cell may be a span of numbers, and long lines are a template's.
  rules: { "long-title": "off", "no-trailing-whitespace": "off", "no-inline-style": "off", "require-sri": "off" },
});
for (const [name, file] of [["page", page_file], ["page of names with markup", hostile_file]]) {
  const { results } = await validator.validateFile(file);
  const found = results.flatMap(({ messages }) => messages);
  const kinds = [...new Set(found.map(({ ruleId, message, line }) => `${ruleId} (line ${line}: ${message})`))];
  check(`the ${name} is valid HTML`, found.length === 0, `${found.length}, such as ${kinds.slice(0, 4).join("; ")}`);
}

console.log(failures === 0 ? "the page holds" : `${failures} checks failed`);
process.exit(failures === 0 ? 0 : 1);
