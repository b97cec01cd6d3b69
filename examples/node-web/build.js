// Makes the pages out of their sources, as a bundler would.
const {
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} = require("node:fs");
const { join } = require("node:path");

const [from, to] = ["pages", "dist"].map((name) => join(__dirname, name));
mkdirSync(to, { recursive: true });
for (const name of readdirSync(from)) {
  const body = readFileSync(join(from, name), "utf8");
  const title = name.replace(/\.html$/, "");
  writeFileSync(
    join(to, name),
    `<!doctype html><title>${title}</title>\n${body}`,
  );
  console.log(`built ${name}`);
}
