/**
 * For a question that is one of several, or whose answer people look up elsewhere: it stays open when the window loses
 * focus, so that no one has to start over.
 */
export const stays = { ignoreFocusOut: true } as const;
