import { readdir, readFile } from 'node:fs/promises';
import type postgres from 'postgres';

/** Applies the migrations as the kit's resource does: in order, one transaction each unless the file says otherwise. */
export async function migrate(sql: postgres.Sql): Promise<void> {
  const directory = new URL('../../migrations/', import.meta.url);
  for (const file of (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort()) {
    const text = await readFile(new URL(file, directory), 'utf8');
    if (text.startsWith('-- migrate: no-transaction')) {
      await sql.unsafe(text);
      continue;
    }
    await sql.begin(async (transaction) => {
      await transaction.unsafe(text);
      await transaction.unsafe(`notify pgrst, 'reload schema'`);
    });
  }
}
