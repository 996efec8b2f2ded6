import { z } from 'zod';
import { imageContext } from '../../images/context.ts';
import { parseConfig } from '../config.ts';
import { rolesOf } from '../preflight.ts';
import { imageIngredients } from './image-ingredients.ts';

// Lays out the build contexts of a stack's images, without Pulumi: for whoever needs the images before, or without, an
// update of the stack. The one argument is JSON: the stack's name, and what its configuration says about images. Prints,
// as JSON, each image's role, reference, context (relative to the project) and the image it starts from.
const argument = z.object({ stack: z.string(), config: z.record(z.string(), z.string()) });
const { stack, config } = argument.parse(JSON.parse(process.argv[2] ?? 'null'));
const settings = parseConfig(stack, config);

const laidOut = rolesOf(settings).map((role) => {
  const ingredients = imageIngredients(role, settings.images);
  const { reference, directory } = imageContext(role, ingredients);
  return { role, reference, context: directory, base: ingredients.base };
});
console.log(JSON.stringify({ source: settings.images, images: laidOut }));
