import { connect } from "node:net";
import { StringDecoder } from "node:string_decoder";
import { EventEmitter, l10n, type Pseudoterminal } from "vscode";

/**
 * A terminal on a guest's serial console: what is typed goes to the guest, what the guest writes is shown. The
 * console's socket takes one reader at a time; the boot log goes on beside it.
 */
export function serialTerminal(socketPath: string): Pseudoterminal {
  const writes = new EventEmitter<string>();
  const decoder = new StringDecoder("utf8");
  const socket = connect({ path: socketPath });
  socket.pause();
  const end = (text: string): void => {
    writes.fire(`\r\n\x1b[2m${text}\x1b[0m\r\n`);
  };
  return {
    onDidWrite: writes.event,
    open() {
      socket.on("data", (bytes) => writes.fire(decoder.write(bytes)));
      socket.on("error", ({ message }) =>
        end(l10n.t("The console can't be reached: {0}", message)),
      );
      socket.on("close", () => end(l10n.t("The console has ended.")));
      socket.resume();
      writes.fire(
        `\x1b[2m${l10n.t("Serial console. Press Enter for a prompt.")}\x1b[0m\r\n`,
      );
    },
    handleInput: (text) => void socket.write(text),
    close() {
      socket.destroy();
      writes.dispose();
    },
  };
}
