/** The alias of the VM itself, where its own leads into a dev container. Pure. */
export const vmAliasOf = (alias: string): string => `${alias}-vm`;
