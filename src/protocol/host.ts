import * as z from "zod";
import { request } from "./method.ts";

export const acceleratorKinds = ["kvm", "hvf", "whpx", "tcg"] as const;
export type AcceleratorKind = (typeof acceleratorKinds)[number];

export const acceleratorSchema = z.object({
  kind: z.enum(acceleratorKinds),
  /** Why this one, e.g. "KVM opens, but the trial guest ran no code within 5 s". */
  reason: z.string(),
  /** What each candidate did in its trial, in order of preference. */
  trials: z.array(
    z.object({
      kind: z.enum(acceleratorKinds),
      worked: z.boolean(),
      detail: z.string(),
      tookMs: z.number(),
    }),
  ),
});
export type Accelerator = z.infer<typeof acceleratorSchema>;

export const doctorCheckSchema = z.object({
  /** Stable id: `qemu`, `qemu-img`, `accelerator`, `ssh`, `build-tools`, `disk-space`, `network`, `ssh-include`, `data-folder`. */
  id: z.string(),
  title: z.string(),
  outcome: z.enum(["ok", "warning", "error"]),
  detail: z.string(),
  remedy: z.string().optional(),
  /** Packages that one press can install. */
  packages: z.array(z.string()).optional(),
});
export type DoctorCheck = z.infer<typeof doctorCheckSchema>;

export const doctorReportSchema = z.object({
  /** True when nothing has the outcome `error`. */
  healthy: z.boolean(),
  checks: z.array(doctorCheckSchema),
  /** The exact command, as an argument array, that installs all missing packages; absent when nothing is missing. */
  installCommand: z.array(z.string()).optional(),
});
export type DoctorReport = z.infer<typeof doctorReportSchema>;

export const hostMethods = {
  "host.doctor": request(
    z.object({
      /** Repeat the accelerator trial instead of using the remembered one. */ retry:
        z.boolean().optional(),
    }),
    z.object({ report: doctorReportSchema }),
  ),
};
