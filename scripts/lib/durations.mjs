// How long each test file takes: kept from run to run, so that the longest begin first, the time left can be told, and
// two runs can be compared. Where nothing is kept yet, the figures that came with the checkout do.
import { readFileSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { cacheRoot } from "./cache.mjs";

/**
 * @typedef {object} FileRun
 * @property {string} project
 * @property {string} file from the checkout's root, with slashes
 * @property {number} ms
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 */

const usual = new URL("durations.json", import.meta.url);
const kept = () => join(cacheRoot(), "test-durations.json");

/** A file that nothing is known of is taken to be one of the long ones. */
const unknownMs = 60_000;

/**
 * @param {string | URL} path
 * @returns {Record<string, number>}
 */
function read(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return {};
  }
}

/** @returns {(file: string) => number} milliseconds by the file's path from the checkout's root */
export function knownDurations() {
  const all = { ...read(usual), ...read(kept()) };
  return (file) => all[file] ?? unknownMs;
}

/**
 * Keeps what was measured; files that did not run keep their figures.
 * @param {FileRun[]} runs
 * @returns {Promise<string>} where
 */
export async function keepDurations(runs) {
  const path = kept();
  const all = read(path);
  // One that failed ended early, or waited for what never came.
  for (const { file, ms, failed, passed } of runs)
    if (failed === 0 && passed > 0) all[file] = Math.round(ms);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}`;
  await writeFile(temporary, `${JSON.stringify(all, null, 2)}\n`);
  await rename(temporary, path);
  return path;
}

/**
 * The longest files, with what they took before.
 * @param {FileRun[]} runs
 * @param {(file: string) => number} before
 * @param {number} [most]
 * @returns {string[]} lines
 */
export function longestTable(runs, before, most = 15) {
  const rows = [...runs]
    .sort((a, b) => b.ms - a.ms)
    .slice(0, most)
    .map(({ file, ms, passed, failed, skipped }) => [
      inWords(ms),
      inWords(before(file)),
      String(passed + failed + skipped),
      file,
    ]);
  const table = [["took", "before", "tests", "file"], ...rows];
  return table.map((row) =>
    row.map((cell, i) => (i < 3 ? cell.padStart(8) : cell)).join("  "),
  );
}

/** @param {number} ms */
const inWords = (ms) =>
  ms < 60_000
    ? `${(ms / 1000).toFixed(1)} s`
    : `${(ms / 60_000).toFixed(1)} min`;
