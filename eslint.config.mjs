import js from "@eslint/js";
import tseslint from "typescript-eslint";

/** Import rules between rooms; `test/unit/architecture.test.ts` checks the finer ones. */
const restrict = (files, patterns) => ({
  files,
  rules: { "no-restricted-imports": ["error", { patterns }] },
});

export default tseslint.config(
  // Examples are nobody's TypeScript project and run elsewhere.
  {
    ignores: [
      "dist/",
      "dist-test/",
      "examples/",
      "node_modules/",
      ".vscode-test/",
    ],
  },
  js.configs.recommended,
  {
    files: ["**/*.ts"],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: {
        projectService: true,
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true },
      ],
      "@typescript-eslint/no-confusing-void-expression": [
        "error",
        { ignoreArrowShorthand: true },
      ],
      "@typescript-eslint/no-invalid-void-type": "off",
      "@typescript-eslint/consistent-type-imports": "error",
      "no-console": "error",
    },
  },
  {
    files: ["**/*.mjs", "**/*.cjs"],
    languageOptions: {
      globals: Object.fromEntries(
        [
          "console",
          "process",
          "URL",
          "Buffer",
          "setTimeout",
          "clearTimeout",
          "setInterval",
          "clearInterval",
          "fetch",
          "performance",
          "AbortController",
          "AbortSignal",
          "TextDecoder",
          "document",
          "window",
        ].map((name) => [name, "readonly"]),
      ),
    },
  },
  restrict(
    ["src/base/**/*.ts"],
    [
      {
        regex: "^(?!node:|\\./)",
        message: "base imports only node: and itself",
      },
    ],
  ),
  restrict(
    ["src/protocol/**/*.ts"],
    [
      {
        regex: "^(?!zod$|\\./)",
        message: "protocol imports only zod and itself",
      },
    ],
  ),
  restrict(
    ["src/helper/**/*.ts"],
    [
      { regex: "/extension/", message: "helper never imports extension" },
      { regex: "^vscode$", message: "vscode belongs to src/extension" },
    ],
  ),
  restrict(
    ["src/extension/**/*.ts"],
    [
      {
        regex: "/helper/(?!launch|connection|records)",
        message: "extension never imports the helper",
      },
    ],
  ),
  {
    // Longer ones, and more parameters, need a reason beside the comment that allows them.
    files: ["src/**/*.ts"],
    rules: {
      "max-lines-per-function": ["error", { max: 80 }],
      "max-params": ["error", { max: 4 }],
    },
  },
  {
    files: ["test/**/*.ts"],
    rules: {
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-member-access": "off",
    },
  },
);
