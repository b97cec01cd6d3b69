import { EventEmitter, once } from "node:events";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { type Bridge, bridgeTo } from "../../../src/extension/screen/bridge.ts";
import {
  type Stroke,
  typingOf,
} from "../../../src/extension/screen/layouts.ts";
import { makeHandoffFifos } from "../../../src/helper/guests/handoff/port.ts";
import { qemuArguments } from "../../../src/helper/qemu/commandLine.ts";
import {
  type LaunchedQemu,
  launchQemu,
} from "../../../src/helper/qemu/process.ts";
import { qemuSpec } from "../../fakes/qemuSpec.ts";
import { echoDisk, greeting, screenText } from "./echoGuest.ts";
import { owned, qemuBinary, scratchFolder } from "./workbench.ts";

/* The panel's end of a screen on a real QEMU: the protocol (RFC 6143) is spoken by hand, as noVNC does it. */

async function echoMachine(): Promise<{
  launched: LaunchedQemu;
  screenSocket: string;
}> {
  const folder = await scratchFolder();
  const screenSocket = join(folder, "a,b.screen");
  const spec = qemuSpec(folder, {
    ...{ cpus: 1, memoryMiB: 64, screenSocket },
    diskPath: await echoDisk(folder),
  });
  await makeHandoffFifos(spec.handoffPath);
  const launched = owned(
    await launchQemu({
      binary: await qemuBinary(),
      args: qemuArguments(spec),
      logPath: join(folder, "qemu.log"),
      cwd: folder,
      qmpSocket: spec.qmpSocket,
    }),
  );
  return { launched, screenSocket };
}

interface Client {
  readonly bridge: Bridge;
  /** The next bytes, as many as asked for. */
  readonly take: (count: number) => Promise<Buffer>;
  readonly ended: Promise<unknown>;
}

function connectTo(screenSocket: string): Client {
  const news = new EventEmitter();
  const ended = once(news, "ended");
  let held = Buffer.alloc(0);
  const bridge = bridgeTo(screenSocket, {
    connected: () => news.emit("connected"),
    bytes(bytes) {
      held = Buffer.concat([held, bytes]);
      news.emit("bytes");
    },
    ended: () => news.emit("ended"),
  });
  onTestFinished(bridge.end);
  return {
    bridge,
    ended,
    async take(count) {
      while (held.length < count) await once(news, "bytes");
      const taken = held.subarray(0, count);
      held = held.subarray(count);
      return taken;
    },
  };
}

/** The handshake without a password; what the server says of itself. */
async function shakeHands({
  bridge,
  take,
}: Client): Promise<{ width: number; height: number; name: string }> {
  expect((await take(12)).toString()).toBe("RFB 003.008\n");
  bridge.send(Buffer.from("RFB 003.008\n"));
  const [kinds = 0] = await take(1);
  expect([...(await take(kinds))]).toContain(1);
  bridge.send(Uint8Array.of(1));
  expect((await take(4)).readUInt32BE()).toBe(0);
  bridge.send(Uint8Array.of(1));
  const start = await take(24);
  return {
    width: start.readUInt16BE(0),
    height: start.readUInt16BE(2),
    name: (await take(start.readUInt32BE(20))).toString(),
  };
}

/** Numbers of keys as a PC's keyboard sends them (set 1), in the order of the codes. */
const scancodes = new Map(
  (
    [
      [2, "Digit1 Digit2 Digit3 Digit4 Digit5 Digit6 Digit7 Digit8 Digit9"],
      [11, "Digit0 Minus Equal Backspace Tab"],
      [16, "KeyQ KeyW KeyE KeyR KeyT KeyY KeyU KeyI KeyO KeyP"],
      [26, "BracketLeft BracketRight Enter ControlLeft"],
      [30, "KeyA KeyS KeyD KeyF KeyG KeyH KeyJ KeyK KeyL Semicolon Quote"],
      [41, "Backquote ShiftLeft Backslash KeyZ KeyX KeyC KeyV KeyB KeyN KeyM"],
      [51, "Comma Period Slash"],
      [57, "Space"],
    ] as const
  ).flatMap(([first, codes]) =>
    codes.split(" ").map((code, index) => [code, first + index] as const),
  ),
);

/** QEMU's own message: the place of a key, without a symbol. */
function keyMessage(code: string, down: boolean): Buffer {
  const message = Buffer.alloc(12);
  message.writeUInt8(255, 0);
  message.writeUInt16BE(down ? 1 : 0, 2);
  message.writeUInt32BE(scancodes.get(code)!, 8);
  return message;
}

async function press(bridge: Bridge, { code, shift }: Stroke): Promise<void> {
  const codes = [...(shift === true ? ["ShiftLeft"] : []), code];
  for (const each of codes) bridge.send(keyMessage(each, true));
  for (const each of codes.toReversed()) bridge.send(keyMessage(each, false));
  // The firmware's buffer holds fifteen keys.
  await setTimeout(15);
}

const shownBy = (qmp: LaunchedQemu["qmp"]) =>
  expect.poll(() => screenText(qmp), { timeout: 60_000, interval: 300 });

test("a screen is a socket of the user's own that speaks VNC, and what is typed arrives by the keys' places", async () => {
  const { launched, screenSocket } = await echoMachine();
  expect((await stat(screenSocket)).mode & 0o077).toBe(0);
  const client = connectTo(screenSocket);
  const { name } = await shakeHands(client);
  expect(name).toBe("QEMU (attic)");
  // Pseudo-encoding -258: keys by their places.
  client.bridge.send(Uint8Array.of(2, 0, 0, 1, 0xff, 0xff, 0xfe, 0xfe));
  await shownBy(launched.qmp).toContain(greeting.trim());
  const all = Array.from({ length: 94 }, (_, index) =>
    String.fromCharCode(33 + index),
  ).join("");
  const { strokes } = typingOf(all, "us");
  for (const stroke of strokes) await press(client.bridge, stroke);
  await expect
    .poll(async () => (await screenText(launched.qmp)).replaceAll("\n", ""), {
      timeout: 30_000,
      interval: 300,
    })
    .toContain(`${greeting}${all}`);
});

test("several look at one screen at once, and each learns that its machine has ended", async () => {
  const { launched, screenSocket } = await echoMachine();
  const first = connectTo(screenSocket);
  const second = connectTo(screenSocket);
  const sizes = [await shakeHands(first), await shakeHands(second)];
  expect(sizes[0]).toEqual(sizes[1]);
  await launched.qmp.execute("quit").catch(() => undefined);
  await first.ended;
  await second.ended;
  const late = connectTo(screenSocket);
  await late.ended;
});
