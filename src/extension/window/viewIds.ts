/* Of the views that package.json contributes; `test/unit/extension/manifest.test.ts` compares them. */
export const machinesViewId = "guesthouse.machines";
export const imagesViewId = "guesthouse.images";
