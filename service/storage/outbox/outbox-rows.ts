import { z } from 'zod';
import { conversation } from '../../conversation/conversation.ts';

/** A column that holds JSON. */
export function json<T extends z.ZodType>(shape: T) {
  return z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(shape);
}

/** A row of `conversations`. */
export const conversationRow = z.object({
  head: json(conversation),
  is_new: z.number(),
  ttl_seconds: z.number().nullable(),
  alive_until: z.number().nullable(),
});
