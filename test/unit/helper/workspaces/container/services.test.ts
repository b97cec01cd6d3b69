import { expect, test } from "vitest";
import {
  type ListedService,
  servicesIn,
} from "../../../../../src/helper/workspaces/container/engine.ts";
import {
  blameOf,
  findService,
  mishapsOf,
} from "../../../../../src/helper/workspaces/container/services.ts";
import { upFailureOf } from "../../../../../src/helper/workspaces/container/referenceCli.ts";

const id = (digit: string): string => digit.repeat(64);
const listed = (
  digit: string,
  service: string | undefined,
  [state, status]: readonly [string, string],
  more: object = {},
): object => ({
  id: id(digit),
  name: `shop-${service ?? digit}-1`,
  image: "img",
  ...{ state, status },
  labels:
    service === undefined
      ? {}
      : {
          "com.docker.compose.project": "shop",
          "com.docker.compose.service": service,
        },
  ...more,
});
const up = ["running", "Up 5 minutes"] as const;
const read = (...all: object[]): ListedService[] =>
  servicesIn(JSON.stringify(all), id("a"));

const shop = read(
  listed("c", "web", ["running", "Up 5 minutes (unhealthy)"]),
  listed("b", "db", ["exited", "Exited (137) 3 minutes ago"], {
    tail: ["no space", "bye\u001b[2J"],
  }),
  listed("d", "migrate", ["exited", "Exited (0) 3 minutes ago"]),
  listed("e", "queue", ["running", "Up 2 seconds (health: starting)"]),
  listed("f", "loop", ["restarting", "Restarting (1) 5 seconds ago"]),
  listed("a", "app", up),
  listed("1", undefined, up),
  listed("2", "app", up, {
    labels: {
      "com.docker.compose.project": "shop",
      "com.docker.compose.oneoff": "True",
    },
  }),
);
const services = shop.map(({ service }) => service);

test("what the engine lists becomes services: the dev container first, strangers and one-off containers left out", () => {
  expect(
    services.map(({ service, state, exitCode, health, devContainer }) => [
      ...[service, state, exitCode, health, devContainer],
    ]),
  ).toEqual([
    ["app", "running", undefined, undefined, true],
    ["db", "exited", 137, undefined, false],
    ["loop", "restarting", 1, undefined, false],
    ["migrate", "exited", 0, undefined, false],
    ["queue", "running", undefined, "starting", false],
    ["web", "running", undefined, "unhealthy", false],
  ]);
});

test("a container without Compose is alone; one of another id is found by its label, as in a fork", () => {
  const labels = { "devcontainer.local_folder": "/workspaces/shop" };
  const alone = servicesIn(
    JSON.stringify([
      listed("3", undefined, up, { labels }),
      listed("4", undefined, up),
    ]),
    id("a"),
  );
  expect(
    alone.map(({ service }) => [service.id, service.devContainer]),
  ).toEqual([[id("3"), true]]);
});

test("an answer that isn't the program's is refused", () => {
  expect(() => read({ id: "../x" })).toThrow();
  expect(() => servicesIn("no JSON", undefined)).toThrow();
});

test("a service is found by its name, its container's and its id; an unknown one is answered with what there is", () => {
  const found = (wanted?: string): string | undefined =>
    findService(services, wanted).service;
  expect(found("db")).toBe("db");
  expect(found("shop-web-1")).toBe("web");
  expect(found("bbbbbb")).toBe("db");
  expect(found("container")).toBe("app");
  expect(found()).toBe("app");
  expect(() => findService(services.slice(0, 2), "x")).toThrow(
    "There is no service “x”; there are: app, db.",
  );
  expect(() => findService([], "x")).toThrow(
    "There are no containers in this VM yet.",
  );
});

test("services that aren't well are told once, with their last words; what has done its work isn't", () => {
  expect(mishapsOf(shop, "shop")).toEqual([
    "The service “db” exited with code 137. See its whole log with: guesthouse logs shop db. Its last output:\n    no space\n    bye\\u001b[2J",
    "The service “loop” exits with code 1 again and again. See its whole log with: guesthouse logs shop loop.",
    "The service “web” is unhealthy. See its whole log with: guesthouse logs shop web.",
  ]);
  const told = new Set([id("b"), id("c"), id("f")]);
  expect(mishapsOf(shop, "shop", told)).toEqual([]);
});

test("a failed start is blamed on the service that ended, not on those that waited for it", () => {
  const waiting = listed("a", "app", ["created", "Created"]);
  const ended = listed("b", "db", ["exited", "Exited (1) 1 second ago"], {
    tail: ["bad password"],
  });
  expect(blameOf(read(waiting, ended))).toEqual({
    why: "the service “db” exited with code 1",
    tail: ["bad password"],
  });
  expect(blameOf(read(listed("a", "app", up)))).toBeUndefined();
});

test("Compose's failure names the service with its last words; another failure stays what it is", () => {
  const ended = read(
    listed("b", "db", ["exited", "Exited (1) 1 second ago"], {
      tail: ["bad password"],
    }),
  );
  const compose = {
    code: 1,
    why: "Command failed: docker compose -f x up -d",
    tail: ["Container shop-db-1 Error"],
  };
  expect(upFailureOf(compose, ended, "/log")).toMatchObject({
    told: {
      failure: {
        message:
          "The dev container didn't come up: the service “db” exited with code 1\nIts last output:\n    bad password",
      },
    },
  });
  const build = {
    code: 1,
    why: "Command failed: docker build",
    tail: ["no such file"],
  };
  expect(upFailureOf(build, ended, "/log").message).toMatch(
    /docker build\nIts last output:\n {4}no such file/,
  );
});
