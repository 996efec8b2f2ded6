import type { DatabaseSettings } from '../config.ts';
import { DatabaseUnavailable } from './outage.ts';
import { Session } from './session.ts';

interface Waiter {
  resolve(session: Session): void;
  reject(error: unknown): void;
}

export interface PoolOptions {
  readonly max: number;
  /** Longest wait for a session, in ms; after it `acquire` throws `DatabaseUnavailable`. */
  readonly acquireTimeout: number;
}

/** Sessions kept for use again. A session whose socket closed, or that is from before `renew`, is never handed out. */
export class SessionPool {
  readonly #settings: DatabaseSettings;
  readonly #options: PoolOptions;
  readonly #idle: Session[] = [];
  readonly #sessions = new Set<Session>();
  readonly #outdated = new WeakSet<Session>();
  readonly #waiting: Waiter[] = [];
  #open = 0;
  #closing: PromiseWithResolvers<void> | undefined;

  constructor(settings: DatabaseSettings, options: PoolOptions) {
    this.#settings = settings;
    this.#options = options;
  }

  async acquire(): Promise<Session> {
    if (this.#closing !== undefined) throw new DatabaseUnavailable('the pool of sessions is closed');
    for (let session = this.#idle.pop(); session !== undefined; session = this.#idle.pop()) {
      if (session.alive) return session;
    }
    if (this.#open < this.#options.max) return this.#connect();
    return this.#wait();
  }

  release(session: Session): void {
    const usable = session.alive && !this.#outdated.has(session) && this.#closing === undefined;
    if (!usable) {
      void session.close();
      return;
    }
    const waiter = this.#waiting.shift();
    if (waiter === undefined) this.#idle.push(session);
    else waiter.resolve(session);
  }

  /** Lets go of every session: those in use when they are released. For what the driver learns once per session. */
  renew(): void {
    for (const session of this.#sessions) this.#outdated.add(session);
    for (const session of this.#idle.splice(0)) void session.close();
  }

  /** Refuses new work, waits for sessions in use up to `timeout` ms, then cuts them off. */
  async close(timeout: number): Promise<void> {
    if (this.#closing !== undefined) return this.#closing.promise;
    const closing = Promise.withResolvers<void>();
    this.#closing = closing;
    for (const waiter of this.#waiting.splice(0))
      waiter.reject(new DatabaseUnavailable('the pool of sessions is closed'));
    for (const session of this.#idle.splice(0)) void session.close();
    const timer = setTimeout(() => {
      for (const session of this.#sessions) void session.close();
    }, timeout);
    if (this.#open === 0) closing.resolve();
    await closing.promise;
    clearTimeout(timer);
  }

  async #connect(): Promise<Session> {
    this.#open += 1;
    let session: Session;
    try {
      session = await Session.open(this.#settings);
    } catch (error) {
      this.#gone();
      throw error;
    }
    this.#sessions.add(session);
    void session.closed.then(() => {
      this.#sessions.delete(session);
      this.#gone();
    });
    return session;
  }

  /** A place is free: the next in line gets a session of its own, or the error of connecting. */
  #gone(): void {
    this.#open -= 1;
    if (this.#closing !== undefined) {
      if (this.#open === 0) this.#closing.resolve();
      return;
    }
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) this.#connect().then(waiter.resolve, waiter.reject);
  }

  #wait(): Promise<Session> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        resolve: (session) => {
          clearTimeout(timer);
          resolve(session);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(
          new DatabaseUnavailable(`no session with PostgreSQL came free within ${this.#options.acquireTimeout} ms`),
        );
      }, this.#options.acquireTimeout);
      this.#waiting.push(waiter);
    });
  }
}
