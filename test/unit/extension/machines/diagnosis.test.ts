import { expect, test, vi } from "vitest";
import { doctorMarkdown } from "../../../../src/extension/host/report.ts";
import { diagnosisMarkdown } from "../../../../src/extension/machines/diagnosis.ts";
import { diagnosis } from "../samples.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

test("a diagnosis tells cause, stage, run state, counters both ways and the console (B8)", () => {
  const text = diagnosisMarkdown({ name: "debian-12" }, diagnosis());
  for (const part of [
    "**The guest has sent nothing: it has no network settings.**",
    "services",
    "1 min",
    "running",
    "Frames sent by the guest&nbsp;&nbsp; | 0",
    "Frames received by the guest&nbsp;&nbsp; | 12",
    "none known",
    "debian login:",
  ])
    expect(text).toContain(part);
});

test("a diagnosis shows what cloud-init said and which probes are optional (B10, B12)", () => {
  const text = diagnosisMarkdown(
    { name: "x" },
    diagnosis({
      cloudInit: {
        status: "error",
        errors: ["runcmd failed"],
        logTail: ["Traceback"],
      },
      probes: [
        { id: "ssh", required: true, passed: false, detail: "refused" },
        { id: "agent", required: false, passed: false, detail: "silent" },
      ],
    }),
  );
  expect(text).toContain("runcmd failed\nTraceback");
  expect(text).toContain("| ✗ problem | ssh | refused |");
  expect(text).toContain("| ⚠ optional | agent | silent |");
});

test("a console can't break out of its block", () => {
  const text = diagnosisMarkdown(
    { name: "x" },
    diagnosis({ consoleTail: ["```", "# not a title"] }),
  );
  expect(text).toContain("````text\n```\n# not a title\n````");
});

test("the host check tells what to install and how", () => {
  const text = doctorMarkdown({
    healthy: false,
    checks: [
      {
        id: "qemu",
        title: "QEMU",
        outcome: "error",
        detail: "not found",
        remedy: "Install it.",
      },
      { id: "ssh", title: "OpenSSH", outcome: "ok", detail: "9.2" },
    ],
    installCommand: ["sudo", "apt-get", "install", "-y", "qemu-system-x86"],
  });
  expect(text).toContain("| ✗ problem | QEMU | not found<br>Install it. |");
  expect(text).toContain("sudo apt-get install -y qemu-system-x86");
});
