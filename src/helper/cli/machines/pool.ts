import { type Command, InvalidArgumentError } from "commander";
import { maxPoolSize, type PoolState } from "../../../protocol/pool.ts";
import { bytes, table } from "../terminal/format.ts";
import { type JsonFlag, withHelper } from "../terminal/session.ts";

/** `guesthouse pool …`. */
export function addPoolCommands(program: Command): void {
  const pool = program
    .command("pool")
    .description("clones that wait, paused, to become the next machines");

  pool
    .command("list")
    .alias("ls")
    .description("list the pools and the memory that they take")
    .option("--json", "print JSON")
    .action(async (flags: JsonFlag) =>
      withHelper(
        flags,
        async ({ client }) => (await client.call("pool.list", {})).pools,
        listText,
      ),
    );

  pool
    .command("set")
    .argument("<image>")
    .argument("<count>", "clones that shall wait; 0 ends them", countArgument)
    .description(
      "keep so many clones of an image ready, for as long as the helper is in use",
    )
    .option("--json", "print JSON")
    .action(async (image: string, count: number, flags: JsonFlag) =>
      withHelper(
        flags,
        async ({ client, signal }) =>
          (await client.call("pool.set", { image, count }, signal)).pool,
        sentence,
      ),
    );
}

function countArgument(text: string): number {
  if (!/^\d+$/.test(text) || Number(text) > maxPoolSize)
    throw new InvalidArgumentError(
      `A whole number from 0 to ${String(maxPoolSize)} is needed.`,
    );
  return Number(text);
}

function sentence(pool: PoolState): string {
  const { image, wanted } = pool;
  if (wanted === 0) return `No clones of ${image} wait any more.`;
  const many = wanted === 1 ? "1 clone" : `${String(wanted)} clones`;
  return pool.waitsFor === "template"
    ? `${many} of ${image} will wait once there is a warm template: guesthouse template warm-up ${image}`
    : `${many} of ${image} will wait, ${String(pool.ready)} do now.`;
}

const listText = (pools: readonly PoolState[]): string =>
  pools.length === 0
    ? "No pools. Make one with: guesthouse pool set <image> <count>"
    : table([
        ["IMAGE", "WANTED", "READY", "MEMORY", "WAITS FOR", "TEMPLATE"],
        ...pools.map((pool) => [
          pool.image,
          String(pool.wanted),
          String(pool.ready),
          bytes(pool.memoryBytes),
          waitText(pool.waitsFor),
          pool.template ?? "-",
        ]),
      ]);

function waitText(reason: PoolState["waitsFor"]): string {
  switch (reason) {
    case undefined:
      return "-";
    case "filling":
      return "the next one is coming up";
    case "quiet":
      return "a machine is coming up";
    case "memory":
      return "free memory";
    case "template":
      return "a warm template";
    case "failure":
      return "another try: the last one failed";
  }
}
