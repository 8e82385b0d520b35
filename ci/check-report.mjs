// Checks the accessibility of a page with axe-core in headless Chromium, light and dark. Called by ci/check-report.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const page_url = pathToFileURL(process.argv[2]).href;
const browser = await puppeteer.launch({
  executablePath: process.env.CHROME,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"],
});
let failed = false;
try {
  for (const [width, scheme] of [[1280, "light"], [1280, "dark"], [390, "light"], [390, "dark"]]) {
    const page = await browser.newPage();
    // The page's own policy forbids every other script; axe is put in from outside.
    await page.setBypassCSP(true);
    await page.setViewport({ width, height: 900 });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    const errors = [];
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("request", (request) => {
      if (!request.url().startsWith("file:") && !request.url().startsWith("data:")) errors.push(`asks for ${request.url()}`);
    });
    await page.goto(page_url);
    await page.evaluate(() => document.querySelectorAll("details").forEach((d) => (d.open = true)));
    await page.addScriptTag({ path: axe });
    const found = await page.evaluate(() => window.axe.run(document));
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (wide > 1) errors.push(`the page is ${wide} pixels wider than the window`);
    console.log(`  report.html   ${width} px ${scheme}: ${found.violations.length} violations, ${found.passes.length} rules passed`);
    for (const violation of found.violations) {
      failed = true;
      console.log(`  WRONG ${violation.id} (${violation.impact}): ${violation.help}, ${violation.nodes.length} times, first at ${violation.nodes[0].target}`);
      console.log(`        ${(violation.nodes[0].failureSummary ?? "").replaceAll("\n", " ").slice(0, 300)}`);
    }
    for (const error of errors) {
      failed = true;
      console.log(`  WRONG ${error}`);
    }
    await page.close();
  }
} finally {
  await browser.close();
}
process.exit(failed ? 1 : 0);
