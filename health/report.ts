import { z } from 'zod';

/**
 * How the service is. `healthy`: everything that is configured works. `degraded`: it does its work with less than was
 * configured. `unhealthy`: it can't do its work.
 */
export const healthStatus = z.enum(['healthy', 'degraded', 'unhealthy']);
export type HealthStatus = z.output<typeof healthStatus>;

/** One probe: milliseconds to its answer, or to its failure. */
const check = z.object({ status: z.enum(['up', 'down']), response_time_ms: z.number(), error: z.string().optional() });

export const healthReport = z
  .object({
    status: healthStatus,
    release_id: z.string(),
    uptime_seconds: z.number(),
    storage: z.object({
      backend: z.string().meta({ description: 'The backend that is configured.' }),
      tiers: z.array(z.string()).meta({ description: 'The tiers that work at this moment, fastest first.' }),
      warning: z.string().optional().meta({ description: 'Set when another backend runs than the one configured.' }),
    }),
    checks: z.record(z.string(), check),
  })
  .meta({ id: 'HealthReport' });
export type HealthReport = z.output<typeof healthReport>;

/** What anybody is told: the status by itself. */
export const healthSummary = z.object({ status: healthStatus });

/** What `/health` answers: all of it to whoever has the secret key. */
export const healthAnswer = z.union([healthReport, healthSummary]);
export type HealthAnswer = z.output<typeof healthAnswer>;
