// Copies run records with markup in their names: hostile.mjs FROM TO
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [from, to] = process.argv.slice(2);
const attack = (name) => `<img src=x onerror="hacked='${name}'"></script><script>hacked='${name}'</script>`;
for (const run of readdirSync(from)) {
  let record;
  try {
    record = JSON.parse(readFileSync(join(from, run, "record.json"), "utf8"));
  } catch {
    continue;
  }
  record.dataset.id += attack("dataset");
  record.model.id += attack("model");
  record.run_id += attack("run");
  record.signature += attack("signature");
  record.config.preset += attack("preset");
  record.env.cpu += attack("cpu");
  mkdirSync(join(to, run), { recursive: true });
  writeFileSync(join(to, run, "record.json"), JSON.stringify(record));
}
