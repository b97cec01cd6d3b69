import { expect, test } from "vitest";
import { silentLog } from "../../../../../src/base/log.ts";
import { Lookout } from "../../../../../src/helper/machines/pool/lookout.ts";

const tick = (ms = 0): Promise<void> =>
  new Promise((wake) => setTimeout(wake, ms));

test("looks one after the other, and once for a swarm of nudges", async () => {
  const end = new AbortController();
  let looking = 0;
  let most = 0;
  let looks = 0;
  const look = async (): Promise<void> => {
    looks++;
    most = Math.max(most, ++looking);
    await tick(5);
    looking--;
  };
  const lookout = new Lookout(look, silentLog, end.signal);
  await Promise.all([lookout.now(), lookout.now()]);
  expect({ looks, most }).toEqual({ looks: 2, most: 1 });
  for (let i = 0; i < 5; i++) lookout.nudge(10);
  await expect.poll(() => looks).toBe(3);
  await tick(30);
  expect(looks).toBe(3);
});

test("a look that fails is not the last one; after the end there is none", async () => {
  const end = new AbortController();
  let looks = 0;
  const look = (): Promise<void> => {
    if (++looks === 1) throw new Error("no luck");
    return Promise.resolve();
  };
  const lookout = new Lookout(look, silentLog, end.signal);
  await lookout.now();
  await lookout.now();
  expect(looks).toBe(2);
  lookout.nudge(10);
  end.abort();
  await lookout.close();
  lookout.nudge(0);
  await tick(30);
  expect(looks).toBe(2);
});
