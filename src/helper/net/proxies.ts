import { Agent, Dispatcher, ProxyAgent } from "undici";
import { given } from "../../base/given.ts";

export interface ProxyRules {
  readonly http?: string;
  readonly https?: string;
  /** Hosts that are reached directly, as curl(1) reads them: `*`, `host`, `.domain`, each with `:port` or without. */
  readonly noProxy: string;
}

/** Lower-case names win, as with curl; an empty value counts as none. */
export function proxyRules(env: NodeJS.ProcessEnv): ProxyRules {
  const read = (name: string): string | undefined =>
    [env[name], env[name.toUpperCase()]].find(
      (value) => value !== undefined && value !== "",
    );
  const all = read("all_proxy");
  const http = read("http_proxy") ?? all;
  const https = read("https_proxy") ?? all;
  return {
    ...given({ http, https }),
    noProxy: read("no_proxy") ?? "",
  };
}

/** The proxy for an address, or undefined for a direct connection. Pure. */
export function proxyFor(rules: ProxyRules, url: URL): string | undefined {
  const proxy = url.protocol === "https:" ? rules.https : rules.http;
  if (proxy === undefined) return undefined;
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  const direct = rules.noProxy
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .some((entry) => {
      const [, host = entry, only] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
      if (only !== undefined && only !== port) return false;
      const name = host.toLowerCase().replace(/^\*?\./, "");
      const asked = url.hostname.toLowerCase();
      return name === "*" || asked === name || asked.endsWith(`.${name}`);
    });
  return direct ? undefined : proxy;
}

/** Sends each request on the way that the rules give, redirected ones too. */
export class ProxyingAgent extends Dispatcher {
  readonly #rules: ProxyRules;
  readonly #options: Agent.Options;
  readonly #ways = new Map<string | undefined, Dispatcher>();

  constructor(rules: ProxyRules, options: Agent.Options) {
    super();
    this.#rules = rules;
    this.#options = options;
  }

  override dispatch(
    options: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandlers,
  ): boolean {
    const url = new URL(String(options.origin));
    return this.#way(proxyFor(this.#rules, url)).dispatch(options, handler);
  }

  #way(proxy: string | undefined): Dispatcher {
    const known = this.#ways.get(proxy);
    if (known !== undefined) return known;
    const way =
      proxy === undefined
        ? new Agent(this.#options)
        : new ProxyAgent({
            ...this.#options,
            uri: proxy.includes("://") ? proxy : `http://${proxy}`,
          });
    this.#ways.set(proxy, way);
    return way;
  }

  override async destroy(): Promise<void> {
    await Promise.all([...this.#ways.values()].map((way) => way.destroy()));
  }
}
