import { describe, expect, it } from "vitest";
import { proxyFor, proxyRules } from "../../../../src/helper/net/proxies.ts";

const rules = (noProxy: string): ReturnType<typeof proxyRules> => ({
  http: "http://proxy:3128",
  https: "http://secure:3128",
  noProxy,
});
const way = (noProxy: string, url: string): string | undefined =>
  proxyFor(rules(noProxy), new URL(url));

describe("proxyFor", () => {
  it("takes the proxy of the address's scheme", () => {
    expect(way("", "http://a.example/x")).toBe("http://proxy:3128");
    expect(way("", "https://a.example/x")).toBe("http://secure:3128");
  });

  it.each([
    ["*", "https://a.example"],
    ["a.example", "https://a.example"],
    ["example", "https://a.example"],
    [".example", "https://a.example"],
    ["*.example", "https://a.example"],
    ["b.example, a.example", "https://A.example"],
    ["b.example a.example", "https://a.example"],
    ["a.example:443", "https://a.example"],
    ["127.0.0.1:8080", "http://127.0.0.1:8080"],
  ])("“%s” leads to %s directly", (noProxy, url) => {
    expect(way(noProxy, url)).toBeUndefined();
  });

  it.each([
    ["example.org", "https://myexample.org"],
    ["a.example:8443", "https://a.example"],
    [" , ", "https://a.example"],
  ])("“%s” does not concern %s", (noProxy, url) => {
    expect(way(noProxy, url)).toBe("http://secure:3128");
  });

  it("reads either case, the lower one first, and takes empty for none", () => {
    expect(
      proxyRules({
        http_proxy: "http://lower",
        HTTP_PROXY: "http://upper",
        https_proxy: "",
        NO_PROXY: "a",
      }),
    ).toEqual({ http: "http://lower", noProxy: "a" });
    expect(proxyRules({ ALL_PROXY: "http://all" })).toEqual({
      http: "http://all",
      https: "http://all",
      noProxy: "",
    });
  });
});
