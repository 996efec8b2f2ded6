import { contentHash } from '../content-hash.ts';
import { type Architecture, recipe } from './recipe.ts';

/** Where the base image is kept on the engine. */
export const baseImageRepository = 'conversation-kit/base';

/**
 * Name and tag of the base image: `conversation-kit/base:<hash>`, the hash being over the recipe and the processor
 * architecture. Same recipe, same reference; it says nothing about whether an engine has the image.
 */
export function baseImageReference(architecture: NodeJS.Architecture = process.arch): string {
  return `${baseImageRepository}:${contentHash([
    ['architecture', architecture],
    ['recipe', JSON.stringify(recipe)],
  ])}`;
}

export function isSupported(architecture: NodeJS.Architecture): architecture is Architecture & NodeJS.Architecture {
  return Object.hasOwn(recipe.node.sha256, architecture);
}
