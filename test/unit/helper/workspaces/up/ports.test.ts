import { expect, test } from "vitest";
import type { Forward } from "../../../../../src/protocol/forwards.ts";
import {
  attributesOf,
  nameOf,
} from "../../../../../src/helper/workspaces/devcontainer/portAttributes.ts";
import { portNotes } from "../../../../../src/helper/workspaces/up/ports.ts";

const file = {
  portsAttributes: {
    "db:5432": { label: "Database" },
    "5432": { label: "Mine", protocol: "https" as const },
    "9000-9010": { onAutoForward: "openBrowserOnce" as const },
    "node .*": { label: "pattern" },
  },
  otherPortsAttributes: {
    onAutoForward: "ignore" as const,
    requireLocalPort: true,
  },
};

test("attributes: by service and port, by port, by range, else the others', but for ignore", () => {
  expect(nameOf(file, { guestPort: 5432, host: "db" })).toEqual({
    ...{ guestPort: 5432, host: "db", label: "Database" },
  });
  expect(nameOf(file, { guestPort: 5432 })).toEqual({
    ...{ guestPort: 5432, label: "Mine", scheme: "https" },
  });
  expect(nameOf(file, { guestPort: 9010 })).toEqual({
    ...{ guestPort: 9010, open: "openBrowserOnce" },
  });
  expect(nameOf(file, { guestPort: 1 })).toBeUndefined();
  expect(attributesOf(file, { guestPort: 1 })).toEqual({
    requireLocalPort: true,
  });
});

test("a port that has another number here is told: published ones each, others where the file requires it", () => {
  const forward = (hostPort: number, guestPort: number): Forward => ({
    ...{ hostPort, guestPort, protocol: "tcp", via: 61_000 },
  });
  const published = {
    ...{ hostPort: 40_000, guestPort: 80, protocol: "tcp" as const },
    ...{ via: 8080, host: "web" },
  };
  const port = {
    ...{ address: "127.0.0.1", port: 8080, guestPort: 80, host: "web" },
  };
  expect(
    portNotes([published, forward(3001, 3000), forward(5, 5)], [port], {}),
  ).toEqual([
    "Port 8080 of web is at 127.0.0.1:40000: 8080 is taken on this computer.",
  ]);
  expect(portNotes([{ ...published, hostPort: 8080 }], [port], file)).toEqual(
    [],
  );
  const [required, low] = portNotes(
    [forward(3001, 3000), forward(4000, 80)],
    [],
    file,
  );
  expect(required).toMatch(/^Warning: Port 3000 is at .*requireLocalPort/);
  expect(low).toMatch(/below 1024/);
});
