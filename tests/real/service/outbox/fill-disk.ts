import { rmSync, writeFileSync } from 'node:fs';
import { ConversationError } from '../../../../service/conversation/errors.ts';
import { Outbox } from '../../../../service/storage/outbox/outbox.ts';
import { OutboxFile } from '../../../../service/storage/outbox/outbox-file.ts';
import { head } from './heads.ts';

// Runs in a container, with a small disk: queues until that is full, makes room, goes on, and tells what it has seen.

if (process.argv.includes('--health')) process.exit(0); // the image's own check

const directory = '/outbox';
const filler = `${directory}/filler`;
const known = head();
const text = 'x'.repeat(512 * 1024);
const acknowledged: string[] = [];
const refused: { name: string; code: string; reason: string }[] = [];

writeFileSync(filler, Buffer.alloc(8 * 1024 * 1024));
const file = OutboxFile.open(directory);
const outbox = new Outbox(file);

async function queue(name: string): Promise<void> {
  try {
    const message = { client_message_id: name, role: 'user' as const, content: text, metadata: {} };
    await outbox.append({ kind: 'server' }, known.id, known, [message]);
    acknowledged.push(name);
  } catch (error) {
    if (!(error instanceof ConversationError)) throw error;
    const reason = error.cause instanceof Error ? error.cause.message : '';
    refused.push({ name, code: error.code, reason });
  }
}

for (let turn = 0; refused.length < 3; turn += 1) await queue(`before ${turn}`);
const whileFull = outbox.pending(known.id).length;
rmSync(filler);
for (let turn = 0; turn < 3; turn += 1) await queue(`after ${turn}`);
file.close();

const again = OutboxFile.open(directory);
const found = new Outbox(again).pending(known.id).map(({ client_message_id: name }) => name);
again.close();
console.log(JSON.stringify({ acknowledged, refused, whileFull, found }));
