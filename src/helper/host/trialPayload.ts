import type { QemuArchitecture } from "../qemu/commandLine.ts";

/** A guest of some hundred bytes that proves that the processor runs 64-bit code, and how QEMU tells that it did. */
export interface TrialPayload {
  readonly kernel: Buffer;
  /** Devices beside the bare machine. */
  readonly arguments: readonly string[];
  readonly succeeded: (exitCode: number | undefined, output: string) => boolean;
}

/**
 * x86: started by multiboot in 32-bit mode; maps 2 MiB, enters long mode, adds up 2^32+1 a hundred thousand times in
 * a 64-bit register and writes 0x2a to the debug-exit port when the sum is right, 0x15 when not.
 */
const x86Code = `
  02b0ad1b 00000100 fe4f51e4                  multiboot magic, flags (addresses follow), checksum
  00001000 00001000 00000000 00000000 20001000  header, load address, end of file, no bss, entry 0x100020
  fa                                          cli
  c70500002000 03102000                       movl  $0x201003, 0x200000    top table -> next, present, writable
  c70500102000 03202000                       movl  $0x202003, 0x201000
  c70500202000 83000000                       movl  $0x83, 0x202000        one page of 2 MiB
  b800002000 0f22d8                           cr3 = 0x200000
  0f20e0 83c820 0f22e0                        cr4 |= PAE
  b9800000c0 0f32 0d00010000 0f30             EFER |= LME
  0f20c0 0d01000080 0f22c0                    cr0 |= PG | PE
  0f0115c0001000                              lgdt  0x1000c0
  ea770010000800                              ljmp  $8, $0x100077
  b9a0860100                                  movl  $100000, %ecx
  31c0                                        xorl  %eax, %eax
  48ba0100000001000000                        movq  $0x100000001, %rdx
  4801d0 ffc9 75f9                            addq  %rdx, %rax; decl %ecx; jnz -7
  48baa0860100a0860100                        movq  $0x186a0000186a0, %rdx
  4839d0 b82a000000 7405                      cmpq  %rdx, %rax; movl $0x2a, %eax; je +5
  b815000000                                  movl  $0x15, %eax
  e6f4 f4 ebfd                                outb  %al, $0xf4; hlt; jmp -3
  0f1f00                                      padding
  0000000000000000 00000000009a2000           descriptors: null, 64-bit code
  0f00b0001000                                their limit and address
`;

/** ARM: writes "64" to the serial port of `virt` (PL011 at 0x9000000) and powers off through PSCI. */
const armCode = `
  0020a1d2   movz x0, #0x900, lsl #16
  c10680d2   movz x1, #'6'
  010000b9   str  w1, [x0]
  810680d2   movz x1, #'4'
  010000b9   str  w1, [x0]
  000180d2   movz x0, #8
  0080b0f2   movk x0, #0x8400, lsl #16    SYSTEM_OFF
  020000d4   hvc  #0
  00000014   b    .
`;

/** QEMU ends with twice the value written to the port, plus one. */
const rightSum = 0x2a * 2 + 1;

export function trialPayload(arch: QemuArchitecture): TrialPayload {
  switch (arch) {
    case "x86_64":
      return {
        kernel: assemble(x86Code),
        arguments: ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
        succeeded: (exitCode) => exitCode === rightSum,
      };
    case "aarch64":
      return {
        kernel: assemble(armCode),
        arguments: ["-serial", "stdio"],
        succeeded: (exitCode, output) => exitCode === 0 && output === "64",
      };
  }
}

/** Each line: bytes in groups of hex digits, two blanks, then what they mean. */
function assemble(listing: string): Buffer {
  const bytes = listing
    .trim()
    .split("\n")
    .map((line) => (line.trim().split(/ {2,}/)[0] ?? "").replaceAll(" ", ""));
  return Buffer.from(bytes.join(""), "hex");
}
