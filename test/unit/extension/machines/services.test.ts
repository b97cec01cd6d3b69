import { expect, test, vi } from "vitest";
import { namedIn } from "../../../../src/extension/machines/choose.ts";
import { Services } from "../../../../src/extension/machines/services.ts";
import {
  serviceKey,
  serviceOfKey,
} from "../../../../src/extension/rows/keys.ts";
import { rowOf } from "../../../../src/extension/rows/machine.ts";
import {
  serviceRow,
  withServices,
} from "../../../../src/extension/rows/service.ts";
import type { Call } from "../../../../src/extension/helper/connection.ts";
import type { Service } from "../../../../src/protocol/containers.ts";
import { machine } from "../samples.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

const web = machine({
  ...{ id: "web", name: "web", revision: 1 },
  state: { kind: "running", sinceMs: 0 },
  container: { vmAlias: "gh-web-vm", vmUser: "debian" },
});
const service = (name: string, change: Partial<Service> = {}): Service => ({
  ...{ id: name, name, service: name, image: "img", state: "running" },
  devContainer: false,
  ...change,
});

function open() {
  let nowMs = 0;
  const asked: unknown[] = [];
  const call = ((method: string, params: unknown) => {
    asked.push([method, params]);
    return Promise.resolve({
      services: [service(`db${String(asked.length)}`)],
    });
  }) as unknown as Call;
  const services = new Services(call, () => nowMs);
  return { services, asked, pass: (ms: number) => (nowMs += ms) };
}

test("services are asked for when somebody looks, and again after seconds or a change", async () => {
  const { services, asked, pass } = open();
  expect(services.known(web)).toEqual([]);
  await Promise.all([services.look(web), services.look(web)]);
  expect(asked).toEqual([["containers.list", { machine: "web" }]]);
  await services.look({ ...web, revision: 2 });
  expect(asked).toHaveLength(2);
  pass(11_000);
  await services.look({ ...web, revision: 2 });
  expect(services.known(web).map(({ name }) => name)).toEqual(["db3"]);
});

test("nobody is asked of a VM that doesn't run, or has no dev container", async () => {
  const { services, asked } = open();
  await services.look(web);
  const stopped = {
    ...web,
    state: { kind: "stopped", reason: "requested" } as const,
  };
  expect(await services.look(stopped)).toEqual([]);
  expect(services.known(stopped)).toEqual([]);
  const plain = machine({ id: "web", state: web.state });
  expect(await services.look(plain)).toEqual([]);
  expect(asked).toHaveLength(1);
});

test("a service's row tells state and health; what isn't well warns, here and on its VM's row", () => {
  const sick = service("db", { health: "unhealthy" });
  const gone = service("cache", { state: "exited", exitCode: 137 });
  const done = service("migrate", { state: "exited", exitCode: 0 });
  const app = service("app", { devContainer: true });
  expect(
    [app, sick, gone, done].map((each) => {
      const { icon, description } = serviceRow(each);
      return [icon, description];
    }),
  ).toEqual([
    ["circle-filled", "running · dev container · img"],
    ["warning", "running · unhealthy · img"],
    ["warning", "exited (137) · img"],
    ["circle-outline", "exited (0) · img"],
  ]);
  const row = rowOf(web, 0);
  expect(withServices(row, [app, done])).toBe(row);
  expect(withServices(row, [app, gone])).toMatchObject({
    icon: "warning",
    description: `${row.description} · cache: exited (137)`,
    context: "machine.running",
  });
});

test("a service's row is no machine's", () => {
  const key = serviceKey("web", "abc");
  expect(serviceOfKey(key)).toEqual({ machine: "web", service: "abc" });
  expect(serviceOfKey("web/checkpoint")).toBeUndefined();
  expect(namedIn(["web", ["web", key]])).toEqual(["web"]);
});
