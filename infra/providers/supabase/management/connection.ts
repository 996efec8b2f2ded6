import type { ResourceContext } from '../../plugin/resource.ts';
import { optional, required, type SupabaseConfig } from '../config.ts';
import { type ManagementApi, managementApi } from './management-api.ts';

/** The Management API with the provider's token. Throws `MissingConfigError`. */
export function managementApiOf(
  context: Pick<ResourceContext<SupabaseConfig>, 'config' | 'signal' | 'progress'>,
): ManagementApi {
  const { config } = context;
  const url = optional(config, 'managementUrl') ?? 'https://api.supabase.com';
  return managementApi(url, required(config, 'accessToken'), context);
}
