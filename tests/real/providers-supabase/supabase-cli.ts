import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const version = '3.1.0';

/**
 * The official Supabase CLI, fetched from the npm registry when a test first needs it: at 135 MB it is no dependency for
 * everybody. It works on a copy of a directory of migrations, in a home of its own.
 */
export class SupabaseCli {
  readonly #program: string;
  readonly #home = mkdtempSync(join(tmpdir(), 'supabase-cli-'));

  private constructor(program: string) {
    this.#program = program;
  }

  static async fetch(): Promise<SupabaseCli> {
    const npm = ['exec', '--yes', '--prefer-offline', `--package=supabase@${version}`, '-c', 'command -v supabase'];
    const { stdout } = await run('npm', npm, { cwd: tmpdir() });
    return new SupabaseCli(stdout.trim());
  }

  /** Runs a command in a project with these migrations; what it says, tables included. */
  async run(migrations: string, ...args: string[]): Promise<string> {
    const project = mkdtempSync(join(this.#home, 'project-'));
    mkdirSync(join(project, 'supabase'));
    cpSync(migrations, join(project, 'supabase', 'migrations'), { recursive: true });
    const { stdout, stderr } = await run(this.#program, [...args, '--yes'], {
      cwd: project,
      env: { PATH: process.env.PATH, HOME: this.#home, DO_NOT_TRACK: '1', SUPABASE_TELEMETRY_DISABLED: '1' },
    });
    return `${stdout}${stderr}`;
  }

  end(): void {
    rmSync(this.#home, { recursive: true, force: true });
  }
}
