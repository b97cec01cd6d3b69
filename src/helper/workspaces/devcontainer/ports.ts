import { visible } from "../../../base/visible.ts";
import type { Forward } from "../../../protocol/machines.ts";
import type { ConfigWarning } from "./review.ts";

/**
 * Forwards of `forwardPorts`, each from whatever port of the loopback is free: a number that the host's own servers may
 * take one day would keep the VM from starting. Pure.
 */
export function forwardsOf(ports: readonly (number | string)[] = []): {
  readonly forwards: Forward[];
  readonly warnings: ConfigWarning[];
} {
  const warnings: ConfigWarning[] = [];
  const guestPorts = new Set<number>();
  for (const [index, port] of ports.entries()) {
    const number = guestPort(port);
    if (number === undefined)
      warnings.push({
        property: `forwardPorts[${String(index)}]`,
        message: `forwardPorts: “${visible(String(port))}” is no port of the guest; it is not forwarded.`,
      });
    // sshd's is forwarded anyway.
    else if (number !== 22) guestPorts.add(number);
  }
  return {
    forwards: [...guestPorts].map((each) => ({
      hostPort: 0,
      guestPort: each,
      protocol: "tcp" as const,
    })),
    warnings,
  };
}

function guestPort(port: number | string): number | undefined {
  const [, text] =
    /^(?:(?:localhost|127\.0\.0\.1):)?(\d+)$/.exec(String(port)) ?? [];
  const number = Number(text ?? 0);
  return number > 0 && number < 65_536 ? number : undefined;
}
