/**
 * For a question that is one of several, or whose answer is looked up elsewhere: it stays open when the window loses the
 * focus, so that nobody begins anew.
 */
export const stays = { ignoreFocusOut: true } as const;
