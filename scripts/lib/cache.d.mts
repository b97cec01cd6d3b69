/** The folder for what is made once and kept outside of the checkout. */
export function cacheRoot(): string;
