import { createHash, type Hash, randomUUID } from 'node:crypto';
import { access, constants, copyFile, type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import type { App } from '@supabase/lite';
import { z } from 'zod';

type StorageAdapter = NonNullable<App['_storageAdapter']>;
type UploadBody = Parameters<StorageAdapter['uploadObject']>[3];
type Metadata = Awaited<ReturnType<StorageAdapter['headObject']>>;

const header = z.object({
  mimetype: z.string(),
  cacheControl: z.string(),
  size: z.number(),
  eTag: z.string(),
  lastModified: z.coerce.date(),
});
type Header = z.infer<typeof header>;

/** Each file begins with this many bytes of JSON padded with spaces; the content follows. */
const headerSize = 4096;

/**
 * The objects of every bucket as files of one directory. A file holds content and metadata together and appears under
 * its name only when it is complete and on disk (write beside it, fsync, rename, fsync of the directory). Its name is a
 * hash, so no object's name can lead out of the directory.
 */
export class FileStore implements StorageAdapter {
  readonly driver: string;
  readonly #incoming: string;

  private constructor(directory: string) {
    this.driver = directory;
    this.#incoming = join(directory, 'incoming');
  }

  /** Makes the directory where it is missing. Throws when it can't be written. */
  static async open(directory: string): Promise<FileStore> {
    const store = new FileStore(directory);
    await mkdir(store.#incoming, { recursive: true });
    await access(store.#incoming, constants.W_OK);
    return store;
  }

  /** Removes what uploads left when the process was killed. Not while another process uses the directory. */
  async removeLeftovers(): Promise<void> {
    for (const left of await readdir(this.#incoming)) await rm(join(this.#incoming, left), { force: true });
  }

  async uploadObject(
    bucket: string,
    key: string,
    _version: string | undefined,
    body: UploadBody,
    mimetype: string,
    cacheControl: string,
  ): Promise<Metadata> {
    return this.#place(this.#path(bucket, key), async (file) => {
      const hash = createHash('md5');
      const size = await writeContent(file, body, hash);
      const written = { mimetype, cacheControl, size, eTag: `"${hash.digest('hex')}"`, lastModified: new Date() };
      await writeHeader(file, written);
      return toMetadata(written);
    });
  }

  async getObject(bucket: string, key: string): Promise<Awaited<ReturnType<StorageAdapter['getObject']>>> {
    const file = await this.#open(bucket, key);
    if (file === undefined) return missing;
    try {
      const metadata = toMetadata(await readHeader(file));
      const body = Readable.toWeb(file.createReadStream({ start: headerSize, autoClose: true }));
      return { metadata, httpStatusCode: 200, body };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Throws when there is no such object. */
  async headObject(bucket: string, key: string): Promise<Metadata> {
    const file = await open(this.#path(bucket, key), 'r');
    try {
      return toMetadata(await readHeader(file));
    } finally {
      await file.close();
    }
  }

  async deleteObject(bucket: string, key: string): Promise<void> {
    await rm(this.#path(bucket, key), { force: true });
  }

  async deleteObjects(bucket: string, keys: string[]): Promise<void> {
    for (const key of keys) await this.deleteObject(bucket, key);
  }

  async copyObject(
    sourceBucket: string,
    source: string,
    _version: string | undefined,
    destinationBucket: string,
    destination: string,
  ): Promise<Metadata> {
    const from = this.#path(sourceBucket, source);
    return this.#place(this.#path(destinationBucket, destination), async (file, path) => {
      await copyFile(from, path);
      const copied = { ...(await readHeader(file)), lastModified: new Date() };
      await writeHeader(file, copied);
      return toMetadata(copied);
    });
  }

  async privateAssetUrl(bucket: string, key: string): Promise<string> {
    return `file://${this.#path(bucket, key)}`;
  }

  #path(bucket: string, key: string): string {
    const name = createHash('sha256').update(`${bucket}\0${key}`).digest('hex');
    return join(this.driver, 'objects', name.slice(0, 2), name);
  }

  async #open(bucket: string, key: string): Promise<FileHandle | undefined> {
    try {
      return await open(this.#path(bucket, key), 'r');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Writes a file aside and moves it to `target` when it is on disk; leaves nothing behind when that fails. */
  async #place<T>(target: string, write: (file: FileHandle, path: string) => Promise<T>): Promise<T> {
    const aside = join(this.#incoming, randomUUID());
    const directory = dirname(target);
    await mkdir(directory, { recursive: true });
    try {
      const file = await open(aside, 'w+');
      let result: T;
      try {
        result = await write(file, aside);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(aside, target);
      await syncDirectory(directory);
      return result;
    } catch (error) {
      await rm(aside, { force: true });
      throw error;
    }
  }
}

async function writeContent(file: FileHandle, body: UploadBody, hash: Hash): Promise<number> {
  let size = 0;
  const chunks = body instanceof Uint8Array ? [body] : body;
  for await (const chunk of chunks) {
    const bytes = z.instanceof(Uint8Array).parse(chunk);
    hash.update(bytes);
    for (let written = 0; written < bytes.byteLength; ) {
      const { bytesWritten } = await file.write(
        bytes,
        written,
        bytes.byteLength - written,
        headerSize + size + written,
      );
      written += bytesWritten;
    }
    size += bytes.byteLength;
  }
  return size;
}

async function writeHeader(file: FileHandle, content: Header): Promise<void> {
  const json = JSON.stringify(content);
  if (Buffer.byteLength(json) > headerSize) throw new Error(`the object's content type or cache control is too long`);
  await file.write(Buffer.alloc(headerSize, ' ').fill(json, 0, Buffer.byteLength(json)), 0, headerSize, 0);
}

async function readHeader(file: FileHandle): Promise<Header> {
  const { buffer } = await file.read(Buffer.alloc(headerSize), 0, headerSize, 0);
  return header.parse(JSON.parse(buffer.toString('utf8')));
}

function toMetadata(content: Header): Metadata {
  return { ...content, contentLength: content.size, httpStatusCode: 200 };
}

const missing = {
  httpStatusCode: 404,
  metadata: { cacheControl: '', contentLength: 0, size: 0, mimetype: '', eTag: '' },
};

/** A renamed file survives a power cut once its directory is on disk. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
