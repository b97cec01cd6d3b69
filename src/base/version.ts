declare const __GUESTHOUSE_VERSION__: string | undefined;

/** Set by the bundler from package.json. */
export const version: string =
  typeof __GUESTHOUSE_VERSION__ === "string" ? __GUESTHOUSE_VERSION__ : "0.0.0";
