/*
 * Shows the log of a service in a terminal of its own: ssh into the VM, which continues until the terminal is closed or the
 * container ends. What it has printed stays to be read.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { StringDecoder } from "node:string_decoder";
import {
  EventEmitter,
  l10n,
  type Pseudoterminal,
  type Terminal,
  ThemeIcon,
  window,
} from "vscode";
import type { Machine } from "../../protocol/machines.ts";
import { titleOfService } from "../../protocol/serviceHealth.ts";
import { about } from "../failures/about.ts";
import { refuse } from "../failures/raise.ts";
import type { Call } from "../helper/connection.ts";
import type { Records } from "../helper/records.ts";
import { serviceOfKey } from "../rows/keys.ts";
import { serviceRow } from "../rows/service.ts";
import type { Command } from "../window/commandIds.ts";
import { chooseOne, type ChooseMachines } from "./choose.ts";
import { Services } from "./services.ts";

export interface ServiceLogDeps {
  readonly call: Call;
  readonly choose: ChooseMachines;
  readonly machines: Records<Machine>;
  readonly services: Services;
}

const shownLines = 1_000;

/** By the key of a service's row, or by what the user picks. */
export function showServiceLog(deps: ServiceLogDeps): Command {
  /** One terminal each, by container, while its program runs. */
  const open = new Map<string, Terminal>();
  return async (...args) => {
    const { call } = deps;
    const chosen = await chooseService(deps, args);
    if (chosen === undefined) return;
    const { machine, service } = chosen;
    const present = open.get(service);
    if (present !== undefined && window.terminals.includes(present)) {
      present.show();
      return;
    }
    await about({ kind: "machine", id: machine.id }, async () => {
      const log = await call("containers.logs", {
        ...{ machine: machine.id, service },
        ...{ follow: true, lines: shownLines },
      });
      const { access } = await call("ssh.access", { machine: log.alias });
      const terminal = window.createTerminal({
        name: l10n.t(
          "{0} (log of {1})",
          machine.name,
          titleOfService(log.service),
        ),
        pty: programTerminal(
          "ssh",
          ["-F", access.configFile, "-T", log.alias, "--", log.remoteCommand],
          () => open.delete(service),
        ),
        iconPath: new ThemeIcon("output"),
        isTransient: true,
      });
      open.set(service, terminal);
      terminal.show();
    });
  };
}

async function chooseService(
  { choose, machines, services }: ServiceLogDeps,
  args: readonly unknown[],
): Promise<{ machine: Machine; service: string } | undefined> {
  const named = serviceOfKey(args[0]);
  const clicked = named && machines.get(named.machine);
  if (named !== undefined && clicked !== undefined)
    return { machine: clicked, service: named.service };
  const title = l10n.t("Show Log of Service");
  const machine = await chooseOne(choose, args, {
    title,
    fits: Services.areIn,
  });
  if (machine === undefined) return undefined;
  const there = await services.look(machine);
  if (there.length === 0)
    return refuse(
      "machines.wrongState",
      l10n.t("No services are known in {0}.", machine.name),
    );
  const picked = await window.showQuickPick(
    there.map((each) => {
      const { label, description, icon } = serviceRow(each);
      return { label: `$(${icon}) ${label}`, description, id: each.id };
    }),
    { title },
  );
  return picked && { machine, service: picked.id };
}

/** Shows what a program prints; closing the terminal ends it. Its input stays open and empty. */
function programTerminal(
  program: string,
  args: readonly string[],
  onEnd: () => void,
): Pseudoterminal {
  const writes = new EventEmitter<string>();
  const show = (text: string): void =>
    writes.fire(text.replaceAll(/\r?\n/g, "\r\n"));
  const end = (text: string): void => {
    onEnd();
    show(`\n\x1b[2m${text}\x1b[0m\n`);
  };
  let child: ChildProcess | undefined;
  return {
    onDidWrite: writes.event,
    open() {
      const started = spawn(program, args, { stdio: "pipe" });
      child = started;
      started.stdin.on("error", () => undefined);
      for (const stream of [started.stdout, started.stderr]) {
        const decoder = new StringDecoder("utf8");
        stream.on("data", (bytes: Buffer) => show(decoder.write(bytes)));
      }
      started.on("error", ({ message }) =>
        end(l10n.t("The log can't be read: {0}", message)),
      );
      started.on("close", () => end(l10n.t("The log has ended.")));
    },
    close() {
      onEnd();
      child?.kill();
      writes.dispose();
    },
  };
}
