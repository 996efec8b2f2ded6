import { z } from 'zod';

/** The provider has no configuration. */
export const kitConfig = z.strictObject({});
export type KitConfig = z.output<typeof kitConfig>;
