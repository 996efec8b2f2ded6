import type { Candidate } from './candidate.ts';

export interface Operations {
  prepare(thread: string, messages: number): Promise<void>;
  append(thread: string): Promise<void>;
  read(thread: string, count: number): Promise<number>;
  close(): Promise<void>;
}

export function measured(operations: Operations): Pick<Candidate, 'prepare' | 'append' | 'read' | 'write'>;
