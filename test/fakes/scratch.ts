import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A folder of this test's own, gone when the test is over. */
export async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "guesthouse-test-"));
  onTestFinished(() =>
    rm(folder, { recursive: true, force: true, maxRetries: 5 }),
  );
  return folder;
}
