import { z } from 'zod';
import { projectRef } from '../config.ts';
import type { ProjectCreation } from '../management/management-api.ts';

/** As the API's compute variants are named, without their prefix; nano is what a project without one has. */
const instanceSizes = [
  'nano',
  'micro',
  'small',
  'medium',
  'large',
  'xlarge',
  '2xlarge',
  '4xlarge',
  '8xlarge',
  '12xlarge',
  '16xlarge',
  '24xlarge',
  '24xlarge_optimized_cpu',
  '24xlarge_optimized_memory',
  '24xlarge_high_memory',
  '48xlarge',
  '48xlarge_optimized_cpu',
  '48xlarge_optimized_memory',
  '48xlarge_high_memory',
] as const;

const organization = z
  .string()
  .regex(/^[\w-]+$/, 'must be the slug of an organization: letters, digits, "_" and "-"')
  .describe("Organization: its slug, which is in the address of its dashboard. A project can't move to another.");
const name = z
  .string()
  .min(1, 'must not be empty')
  .max(256, 'must have at most 256 characters')
  .describe('Name of the project. Of projects of one name in one organization and region the provider makes only one.');
const region = z
  .string()
  .regex(/^[a-z]+(-[a-z]+)+-\d$/, 'must be a region such as eu-central-1')
  .describe("Region, such as `eu-central-1`. A project can't move to another.");
const instanceSize = z
  .enum(instanceSizes, `must be one of ${instanceSizes.join(', ')}`)
  .describe('Compute of the database, such as `micro`. Left out: the plan’s own, and not managed.');
const allowDelete = z
  .boolean()
  .default(false)
  .describe('Whether the project, with all that is in it, is deleted when the resource is. Otherwise that is refused.');

const creation = z.object({
  organization,
  name,
  region,
  databasePassword: z.string(),
  instanceSize: instanceSize.optional(),
});
const neededToCreate = ['organization', 'name', 'region', 'databasePassword'] as const;

export const projectInputs = z
  .strictObject({
    ref: projectRef
      .optional()
      .describe(
        'Ref of a project that is there already, to be adopted instead of one being made. Then the rest is optional.',
      ),
    organization: organization.optional(),
    name: name.optional(),
    region: region.optional(),
    databasePassword: z
      .string()
      .min(16, 'must have at least 16 characters')
      .optional()
      .describe(
        'Password of the role `postgres`. A change sets it in the project; given for an adopted project, it is the one that it has.',
      )
      .meta({ secret: true }),
    instanceSize: instanceSize.optional(),
    allowDelete,
  })
  .superRefine((inputs, check) => {
    if (inputs.ref !== undefined) return;
    for (const key of neededToCreate) {
      if (inputs[key] === undefined)
        check.addIssue({ code: 'custom', path: [key], message: 'is needed to make a project; or name one with ref' });
    }
  });
export type ProjectInputs = z.output<typeof projectInputs>;

/** What can be stated of a project and read back. */
export type Stated = Partial<Pick<ProjectInputs, 'organization' | 'name' | 'region' | 'instanceSize'>>;

/** The properties of `actual` that `program` states: what it leaves out is not managed. */
export function stated(actual: Stated, program: Stated): Stated {
  const { organization, name, region, instanceSize } = actual;
  return {
    ...(program.organization === undefined || organization === undefined ? {} : { organization }),
    ...(program.name === undefined || name === undefined ? {} : { name }),
    ...(program.region === undefined || region === undefined ? {} : { region }),
    ...(program.instanceSize === undefined || instanceSize === undefined ? {} : { instanceSize }),
  };
}

/** What a project is made from. Throws what the check of the inputs finds. */
export function creationOf(inputs: ProjectInputs): ProjectCreation {
  return creation.parse(inputs);
}

export const projectOutputs = z.strictObject({
  ref: projectRef.describe('Ref of the project. It is the id of the resource.'),
  organization,
  name,
  region,
  instanceSize: instanceSize.optional(),
  allowDelete,
  apiUrl: z.string().describe('API address, `https://<ref>.supabase.co`.'),
  databaseHost: z.string().describe('Host of the direct connection (IPv6 unless the project has an IPv4 address).'),
  databaseUrl: z
    .string()
    .optional()
    .describe('Connection through the session pooler as `postgres`. Left out where `databasePassword` is.')
    .meta({ secret: true }),
  publishableKey: z.string().describe('Key for clients (`sb_publishable_…`).').meta({ secret: true }),
  secretKey: z.string().describe('Key for servers (`sb_secret_…`).').meta({ secret: true }),
  jwtSecret: z
    .string()
    .optional()
    .describe('Signs tokens with HS256; where the project has moved to signing keys, it only verifies old ones.')
    .meta({ secret: true }),
  jwksUrl: z.string().describe('Public keys that users’ tokens are verified with.'),
});
export type ProjectOutputs = z.output<typeof projectOutputs>;
