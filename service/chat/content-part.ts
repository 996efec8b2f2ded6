import { z } from 'zod';

// The parts that an OpenAI-compatible upstream takes from a user, with the fields that it knows.

const text = { type: z.literal('text'), text: z.string().min(1) };
const image = { url: z.string().min(1), detail: z.enum(['auto', 'low', 'high']).optional() };
const audio = { data: z.string().min(1), format: z.string().min(1) };
const file = {
  file_id: z.string().optional(),
  filename: z.string().optional(),
  file_data: z.string().optional(),
};

/** A part as a client sends it: what else it has is kept. */
export const chatPart = z.discriminatedUnion('type', [
  z.looseObject(text),
  z.looseObject({ type: z.literal('image_url'), image_url: z.looseObject(image) }),
  z.looseObject({ type: z.literal('input_audio'), input_audio: z.looseObject(audio) }),
  z.looseObject({ type: z.literal('file'), file: z.looseObject(file) }),
]);

/** A part as it goes to an upstream: without what that would refuse. */
export const upstreamPart = z.discriminatedUnion('type', [
  z.object(text),
  z.object({ type: z.literal('image_url'), image_url: z.object(image) }),
  z.object({ type: z.literal('input_audio'), input_audio: z.object(audio) }),
  z.object({ type: z.literal('file'), file: z.object(file) }),
]);
export type UpstreamPart = z.output<typeof upstreamPart>;
