import { given } from "../../../base/given.ts";
import type { Command } from "commander";
import {
  forwardOption,
  gibOption,
  integerOption,
  mebibytesOption,
} from "../terminal/options.ts";
import { withHelper } from "../terminal/session.ts";
import {
  addWaitOptions,
  type WaitFlags,
  waiting,
  watchMachine,
} from "../terminal/waiting.ts";
import { madeText } from "./text.ts";

interface CreateFlags extends WaitFlags {
  readonly image: string;
  readonly cpus?: number;
  readonly memory?: number;
  readonly disk?: number;
  readonly user?: string;
  readonly agentForwarding?: boolean;
  readonly hostLoopback?: boolean;
  readonly screen?: boolean;
  readonly forward: { hostPort: number; guestPort: number; protocol: "tcp" }[];
  readonly start: boolean;
  readonly cold?: boolean;
}

export function addCreateCommand(program: Command): void {
  const command = program
    .command("create")
    .argument("[name]", "lower-case letters, digits, hyphens")
    .description("clone an image into a new machine and start it")
    .option("-i, --image <image>", "image to clone", "debian-12")
    .option("-c, --cpus <count>", "virtual processors", integerOption)
    .option("-m, --memory <size>", "memory, e.g. 2G or 1536M", mebibytesOption)
    .option("-d, --disk <size>", "disk, e.g. 20G", gibOption)
    .option("-u, --user <name>", "user in the guest")
    .option(
      "-p, --forward <host:guest>",
      "forward a loopback port (repeatable)",
      forwardOption,
      [],
    )
    .option(
      "-A, --agent-forwarding",
      "offer this host's ssh agent to the guest",
    )
    .option(
      "--host-loopback",
      "let it reach servers on this host's loopback address",
    )
    .option("--screen", "give it a display, a keyboard and a pointer")
    .option("--cold", "boot it even where a warm template could be resumed")
    .option("--no-start", "leave it stopped");
  addWaitOptions(command).action(
    async (name: string | undefined, flags: CreateFlags) =>
      withHelper(
        flags,
        async (session) => {
          watchMachine(session, name);
          const { machine } = await session.client.call(
            "machines.create",
            {
              image: flags.image,
              start: flags.start,
              ...waiting(flags),
              ...given({
                name,
                cpus: flags.cpus,
                memoryMiB: flags.memory,
                diskGiB: flags.disk,
                user: flags.user,
                agentForwarding: flags.agentForwarding,
                hostLoopback: flags.hostLoopback,
                screen: flags.screen,
                warm: flags.cold === true ? false : undefined,
              }),
              forwards: flags.forward,
            },
            session.signal,
          );
          return machine;
        },
        madeText,
      ),
  );
}
