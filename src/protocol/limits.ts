import * as z from "zod";

/*
 * Bounds of what a VM can be made of, and of ports: the contract's, for every client alike. Whoever goes beyond one is told so in
 * these words (F27, F46, F63).
 */

/** Virtual processors. */
export const cpusSchema = z
  .int("Processors are counted in whole numbers.")
  .min(1, "A VM has at least 1 processor.")
  .max(256, "A VM has at most 256 processors.");

/** MiB. */
export const memoryMiBSchema = z
  .int("Memory is counted in whole MiB.")
  .min(128, "Memory must be at least 128 MiB.")
  .max(16 * 1024 ** 2, "Memory can be at most 16 TiB.");

/** GiB; a disk takes only the room that the guest fills. */
export const diskGiBSchema = z
  .number()
  .min(1, "A disk must be at least 1 GiB.")
  .max(64 * 1024, "A disk can be at most 64 TiB.");

const portNumber = "Ports go from 1 to 65535.";

/** Of a server. */
export const portSchema = z
  .int(portNumber)
  .min(1, portNumber)
  .max(65_535, portNumber);

/** The same where 0 asks for any that is free. */
export const anyPortSchema = z
  .int(portNumber)
  .min(0, portNumber)
  .max(65_535, portNumber);
