import { readdirSync, readFileSync } from 'node:fs';
import type { Sql } from 'postgres';

/** Applies the kit's migrations in order, each in a transaction, and has the API take notice. */
export async function applyMigrations(sql: Sql): Promise<void> {
  for (const file of readdirSync('migrations').sort()) {
    await sql.begin((transaction) => transaction.unsafe(readFileSync(`migrations/${file}`, 'utf8')));
  }
  await sql`notify pgrst, 'reload schema'`;
}
