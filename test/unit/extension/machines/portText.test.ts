import { expect, test, vi } from "vitest";
import { portText } from "../../../../src/extension/machines/tooltip.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

test("a port says what it leads to and what it's called; what speaks HTTP is a link", () => {
  const port = { hostPort: 8080, guestPort: 80, protocol: "tcp" as const };
  expect(portText(port)).toBe("8080 → 80");
  expect(
    portText({ ...port, host: "web", label: "a*b", scheme: "https" }),
  ).toBe("[8080](https://localhost:8080/) → web:80 (a\\*b)");
});
