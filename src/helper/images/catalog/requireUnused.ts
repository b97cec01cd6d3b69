import { refused } from "../../../protocol/failure.ts";
import type { Ledger } from "./ledger.ts";

/** Refuses to delete an image that somebody works on, or that something stands on. */
export function requireUnused(name: string, ledger: Ledger): void {
  if (ledger.recordOf(name).state.kind === "working")
    throw refused("images.busy", `Image ${name} is being worked on.`, {
      remedy: "Wait for the end or cancel it, then delete it.",
    });
  const users = ledger.usersOf(name);
  if (users.length > 0) {
    const one = users.length === 1;
    throw refused(
      "images.inUse",
      `Image ${name} can't be deleted: ${one ? "machine" : "machines"} ${users.join(", ")} ${one ? "stands" : "stand"} on it.`,
      { remedy: `Delete ${one ? "that machine" : "those machines"} first.` },
    );
  }
  if (ledger.digestsOf(name).some(ledger.isHeld))
    throw refused(
      "images.busy",
      `A machine is just being made from image ${name}.`,
      { remedy: "Wait until it is made; then delete that machine first." },
    );
}
