// Lets programs, and what they start, step back for others.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";

const lookEveryMs = 3_000;

/**
 * Niceness counts within a session only: Linux shares the processors out by session first, and each helper and each QEMU is one
 * of its own, so a dozen guests would leave the tests beside them a fifth of their pace. Sessions that come up meanwhile are
 * found by a variable of their environment, which is unique to the run.
 * @param {number} pid
 * @param {number} niceness
 * @param {string} mark `NAME=value`
 * @returns {() => void} ends the looking
 */
export function stepBack(pid, niceness, mark) {
  try {
    setPriority(pid, niceness);
  } catch {
    // It has ended, or the system knows no such thing: only the order of things suffers.
  }
  /** @type {Set<string>} */
  const known = new Set();
  const looking = setInterval(() => {
    for (const each of processes())
      if (!known.has(each) && isMarked(each, mark) && setGroup(each, niceness))
        known.add(each);
  }, lookEveryMs).unref();
  return () => clearInterval(looking);
}

/** A number may be another process's after a while; so few are marked that nobody is hurt. */
function processes() {
  try {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/**
 * @param {string} pid
 * @param {string} mark
 */
function isMarked(pid, mark) {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1").includes(`${mark}\0`);
  } catch {
    return false;
  }
}

/**
 * Of a session's leader, which gives its group its niceness. Others may become one yet.
 * @param {string} pid
 * @param {number} niceness
 * @returns {boolean} whether it is done
 */
function setGroup(pid, niceness) {
  try {
    const [, , , session] = readFileSync(`/proc/${pid}/stat`, "latin1")
      .replace(/^.*\) /, "")
      .split(" ");
    if (session !== pid) return false;
    writeFileSync(`/proc/${pid}/autogroup`, String(niceness));
    return true;
  } catch {
    // Who isn't root may do it once in a while only.
    return false;
  }
}
