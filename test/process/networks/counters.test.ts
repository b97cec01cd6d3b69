import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { networkCounters } from "../../../src/helper/qemu/counters.ts";
import { qemuArguments } from "../../../src/helper/qemu/commandLine.ts";
import { launchQemu } from "../../../src/helper/qemu/process.ts";
import { qemuSpec } from "../../fakes/qemuSpec.ts";
import {
  emptyDisk,
  owned,
  qemuBinary,
  scratchFolder,
  waitingMachine,
} from "../qemu/workbench.ts";

test("a card that no driver has taken has counted nothing (B8)", async () => {
  const { qmp } = await waitingMachine();
  expect(await networkCounters(qmp)).toEqual({
    driver: false,
    sentFrames: 0,
    receivedFrames: 0,
  });
});

test("frames are counted both ways, as they are on the wire (B5, B8)", async () => {
  const folder = await scratchFolder();
  await emptyDisk(folder);
  const spec = qemuSpec(folder, { memoryMiB: 128 });
  const wire = join(folder, "wire.pcap");
  const { qmp } = owned(
    await launchQemu({
      binary: await qemuBinary(),
      args: [
        // The card's own boot program, which our machines do without, is a guest that asks DHCP for an address.
        ...qemuArguments(spec).map((arg) =>
          arg.replace(",romfile=", ",bootindex=0"),
        ),
        ...["-object", `filter-dump,id=wire,netdev=net0,file=${wire}`],
      ],
      logPath: join(folder, "qemu.log"),
      cwd: folder,
      qmpSocket: spec.qmpSocket,
    }),
  );
  await expect
    .poll(async () => (await networkCounters(qmp))?.receivedFrames, {
      timeout: 60_000,
      interval: 50,
    })
    .toBeGreaterThanOrEqual(2);
  await qmp.execute("stop");
  const counters = await networkCounters(qmp);
  const frames = framesOf(await readFile(wire));
  const sent = frames.filter((source) => source === spec.macAddress).length;
  expect(counters).toEqual({
    driver: true,
    sentFrames: sent,
    receivedFrames: frames.length - sent,
  });
});

/** Source addresses of the frames in a pcap file: 24 bytes of header, then 16 before each frame. */
function framesOf(pcap: Buffer): string[] {
  const sources: string[] = [];
  for (let at = 24; at + 16 <= pcap.length;) {
    const length = pcap.readUInt32LE(at + 8);
    const source = pcap.subarray(at + 16 + 6, at + 16 + 12).toString("hex");
    sources.push(source.replace(/..(?=.)/g, "$&:"));
    at += 16 + length;
  }
  return sources;
}
