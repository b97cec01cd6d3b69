export const workers: Readonly<
  Record<"unit" | "protocol" | "process" | "vm" | "editor", number>
>;
