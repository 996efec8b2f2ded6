/** What the work comes to. Rejects after so many ms, and tells the work to end then. */
export async function within<T>(patience: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const deadline = AbortSignal.timeout(patience);
  const late = Promise.withResolvers<never>();
  deadline.addEventListener('abort', () => late.reject(new Error(`no answer within ${patience} ms`)), { once: true });
  return Promise.race([work(deadline), late.promise]);
}
