import { networkInterfaces } from "node:os";

/** An address of this host that is not its loopback. */
export function hostAddress(): string {
  const address = Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .find(({ family, internal }) => family === "IPv4" && !internal)?.address;
  if (address === undefined)
    throw new Error("this host has no address but loopback");
  return address;
}
