/** One stretch of a bundle, after its header. */
export interface Part {
  readonly name: string;
  /** How the box takes it: unpacks the archive, or keeps it as a file beside the manifest. */
  readonly kind: 'tar.gz' | 'tar.zst' | 'tar' | 'file';
  /** Where it begins, in bytes from the begin of the bundle. */
  readonly offset: number;
  /** Bytes in the bundle, and on the box. */
  readonly bytes: number;
  readonly unpacked: number;
  readonly sha256: string;
}

/**
 * What a bundle consists of. It has no time in it: the same content is the same manifest. On the box it is
 * `.kit/bundle/manifest.json`, which set-up reads (scripts/setup/bundle.mjs).
 */
export interface Manifest {
  readonly format: 1;
  readonly version: string;
  /** The program: all of this commit, and nothing else. */
  readonly commit: string;
  readonly stack: string;
  /** As Node.js calls it: x64, arm64. */
  readonly architecture: string;
  /** The oldest that everything in it runs with. */
  readonly glibc: string;
  readonly images: { readonly source: string; readonly list: readonly BundledImage[] };
  /** Debian packages with the Docker engine; undefined where the machine that made the bundle has none. */
  readonly packages: { readonly distribution: string; readonly files: readonly string[] } | undefined;
  readonly parts: readonly Omit<Part, 'offset'>[];
}

export interface BundledImage {
  readonly reference: string;
  readonly id: string;
}

/** What `uname -m` says where Node.js says this. */
export const machines: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' };
