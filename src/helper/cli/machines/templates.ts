import { given } from "../../../base/given.ts";
import type { Command } from "commander";
import type { Template } from "../../../protocol/templates.ts";
import { bytes, table } from "../terminal/format.ts";
import {
  gibOption,
  integerOption,
  mebibytesOption,
} from "../terminal/options.ts";
import { type JsonFlag, withHelper } from "../terminal/session.ts";
import { watchImages } from "../terminal/waiting.ts";

/** `guesthouse template …`. */
export function addTemplateCommands(program: Command): void {
  const template = program
    .command("template")
    .description(
      "saved states that new machines go on from instead of booting",
    );
  addList(template);
  addWarmUp(template);
  addDelete(template);
}

function addList(template: Command): void {
  template
    .command("list")
    .alias("ls")
    .description("list the templates")
    .option("--json", "print JSON")
    .action(async (flags: JsonFlag) =>
      withHelper(
        flags,
        async ({ client }) =>
          (await client.call("templates.list", {})).templates,
        listText,
      ),
    );
}

function addWarmUp(template: Command): void {
  template
    .command("warm-up")
    .argument("<image>")
    .description(
      "make the template of an image and size; nothing when it is there",
    )
    .option("-c, --cpus <count>", "virtual processors", integerOption)
    .option("-m, --memory <size>", "memory, e.g. 2G or 1536M", mebibytesOption)
    .option("-d, --disk <size>", "disk, e.g. 20G", gibOption)
    .option("--screen", "for machines with a screen")
    .option("--json", "print JSON")
    .action(
      async (
        image: string,
        flags: JsonFlag & {
          cpus?: number;
          memory?: number;
          disk?: number;
          screen?: boolean;
        },
      ) =>
        withHelper(
          flags,
          async (session) => {
            const { client, progress, signal } = session;
            watchImages(session);
            client.onNotice("templates.changed", ({ template: changed }) => {
              if (
                changed.image.name === image &&
                changed.state.kind === "making"
              )
                progress.show(`template of ${image}: ${changed.state.stage}`);
            });
            const size = given({
              cpus: flags.cpus,
              memoryMiB: flags.memory,
              diskGiB: flags.disk,
              screen: flags.screen,
            });
            const params = { image, ...size };
            return (await client.call("templates.warmUp", params, signal))
              .template;
          },
          ({ id, image: { name }, sizeBytes }) =>
            `Template ${id} of ${name} is ready (${bytes(sizeBytes)}).`,
        ),
    );
}

function addDelete(template: Command): void {
  template
    .command("delete")
    .alias("rm")
    .argument("<id>")
    .description("delete a template; machines that came of it are kept")
    .option("--json", "print JSON")
    .action(async (id: string, flags: JsonFlag) =>
      withHelper(
        flags,
        ({ client, signal }) => client.call("templates.delete", { id }, signal),
        ({ freedBytes }) =>
          `Deleted template ${id}; ${bytes(freedBytes)} freed.`,
      ),
    );
}

const listText = (templates: readonly Template[]): string =>
  templates.length === 0
    ? "No templates yet. Make one with: guesthouse template warm-up <image>"
    : table([
        [
          "ID",
          "IMAGE",
          "STATE",
          "CPUS",
          "MEMORY",
          "DISK",
          "SIZE",
          "POOL",
          "LAST USED",
        ],
        ...templates.map(
          ({ id, image, state, shape, sizeBytes, lastUsedAt, pool }) => [
            id,
            image.name,
            stateText(state),
            String(shape.cpus),
            `${String(shape.memoryMiB)} MiB`,
            `${String(shape.diskGiB)} GiB`,
            bytes(sizeBytes),
            pool === undefined
              ? "-"
              : `${String(pool.ready)} of ${String(pool.wanted)}, ${bytes(pool.memoryBytes)}`,
            lastUsedAt,
          ],
        ),
      ]);

function stateText(state: Template["state"]): string {
  switch (state.kind) {
    case "making":
      return `making (${state.stage})`;
    case "ready":
      return "ready";
    case "failed":
      return `failed: ${state.failure.message}`;
  }
}
