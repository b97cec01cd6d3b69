/** Ethernet frames as a guest would send them, just enough of them to try a network back end without a guest. */

export interface Segment {
  readonly source: string;
  readonly target: string;
  readonly sourcePort: number;
  readonly targetPort: number;
  readonly sequence: number;
  readonly acknowledged: number;
  readonly flags: number;
  readonly data: Buffer;
}

/** Of RFC 9293. */
export const tcpFlags = { fin: 1, syn: 2, rst: 4, push: 8, ack: 16 } as const;

const etherTypes = { ipv4: 0x0800, arp: 0x0806 } as const;
const etherBytes = 14;
const ipBytes = 20;
const tcpBytes = 20;
const protocolTcp = 6;

/** A TCP segment over IPv4 over Ethernet. MAC addresses with colons. Pure. */
export function tcpFrame(
  fromMac: string,
  toMac: string,
  segment: Segment,
): Buffer {
  const { source, target, data } = segment;
  const tcp = Buffer.alloc(tcpBytes);
  tcp.writeUInt16BE(segment.sourcePort, 0);
  tcp.writeUInt16BE(segment.targetPort, 2);
  tcp.writeUInt32BE(segment.sequence, 4);
  tcp.writeUInt32BE(segment.acknowledged, 8);
  tcp.writeUInt8((tcpBytes / 4) << 4, 12);
  tcp.writeUInt8(segment.flags, 13);
  tcp.writeUInt16BE(0xfaf0, 14);
  const length = tcpBytes + data.length;
  const pseudo = Buffer.concat([
    ...[address(source), address(target)],
    Buffer.from([0, protocolTcp, length >> 8, length & 0xff]),
  ]);
  tcp.writeUInt16BE(checksum(Buffer.concat([pseudo, tcp, data])), 16);
  const ip = Buffer.alloc(ipBytes);
  ip.writeUInt8(0x45, 0);
  ip.writeUInt16BE(ipBytes + length, 2);
  ip.writeUInt16BE(0x4000, 6);
  ip.writeUInt8(64, 8);
  ip.writeUInt8(protocolTcp, 9);
  address(source).copy(ip, 12);
  address(target).copy(ip, 16);
  ip.writeUInt16BE(checksum(ip), 10);
  return Buffer.concat([
    ethernet(fromMac, toMac, etherTypes.ipv4),
    ip,
    tcp,
    data,
  ]);
}

/** Asks who has `wanted` (RFC 826). Pure. */
export const arpRequest = (
  fromMac: string,
  fromAddress: string,
  wanted: string,
): Buffer =>
  Buffer.concat([
    ethernet(fromMac, "ff:ff:ff:ff:ff:ff", etherTypes.arp),
    Buffer.from([0, 1, 8, 0, 6, 4, 0, 1]),
    ...[mac(fromMac), address(fromAddress)],
    ...[Buffer.alloc(6), address(wanted)],
  ]);

export const isArp = (frame: Buffer): boolean =>
  frame.length > etherBytes && frame.readUInt16BE(12) === etherTypes.arp;

/** Undefined for anything but TCP over IPv4. Pure. */
export function readSegment(frame: Buffer): Segment | undefined {
  if (
    frame.length < etherBytes + ipBytes + tcpBytes ||
    frame.readUInt16BE(12) !== etherTypes.ipv4 ||
    frame.readUInt8(etherBytes + 9) !== protocolTcp
  )
    return undefined;
  const ip = frame.subarray(etherBytes);
  const packet = ip.subarray(0, ip.readUInt16BE(2));
  const tcp = packet.subarray((packet.readUInt8(0) & 15) * 4);
  return {
    source: [...packet.subarray(12, 16)].join("."),
    target: [...packet.subarray(16, 20)].join("."),
    sourcePort: tcp.readUInt16BE(0),
    targetPort: tcp.readUInt16BE(2),
    sequence: tcp.readUInt32BE(4),
    acknowledged: tcp.readUInt32BE(8),
    flags: tcp.readUInt8(13),
    data: tcp.subarray((tcp.readUInt8(12) >> 4) * 4),
  };
}

/** A frame with its length before it, as QEMU and passt send them over a unix socket. Pure. */
export function packed(frame: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(frame.length);
  return Buffer.concat([length, frame]);
}

/** The whole frames at the beginning of what was received, and what is left over. Pure. */
export function unpack(received: Buffer): { frames: Buffer[]; rest: Buffer } {
  const frames: Buffer[] = [];
  let rest = received;
  while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE(0)) {
    const end = 4 + rest.readUInt32BE(0);
    frames.push(rest.subarray(4, end));
    rest = rest.subarray(end);
  }
  return { frames, rest };
}

const ethernet = (from: string, to: string, type: number): Buffer =>
  Buffer.concat([mac(to), mac(from), Buffer.from([type >> 8, type & 0xff])]);

const mac = (text: string): Buffer =>
  Buffer.from(text.replaceAll(":", ""), "hex");

const address = (text: string): Buffer =>
  Buffer.from(text.split(".").map(Number));

/** RFC 1071. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2)
    sum += ((bytes[i] ?? 0) << 8) + (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
