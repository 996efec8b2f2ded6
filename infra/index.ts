import * as docker from '@pulumi/docker';
import * as pulumi from '@pulumi/pulumi';
import { loadConfig } from './config.ts';
import { Edge } from './docker/edge.ts';
import { outboxVolume } from './docker/outbox.ts';
import { presentImages } from './docker/present-images.ts';
import { Redis } from './docker/redis.ts';
import { RedisCommander } from './docker/redis-commander.ts';
import { ServiceRelease } from './docker/service-release.ts';
import { labels, type StackContext } from './docker/stack-context.ts';
import { stackImages } from './docker/stack-images.ts';
import { EdgeConfig } from './kit/edge-config.ts';
import { LiveRelease } from './kit/live-release.ts';
import { ReleaseGate } from './kit/release-gate.ts';
import { Secret } from './kit/secret.ts';
import { laidOutProgram } from './laid-out-program.ts';
import { preflight, rolesOf } from './preflight.ts';
import { assertFits, profiles } from './profiles.ts';
import { releaseManifest } from './release-manifest.ts';
import { ConversationSchema } from './supabase/conversation-schema.ts';
import { EmbeddedProject } from './supabase/embedded-project.ts';
import { hostedProject } from './supabase/hosted-project.ts';

const settings = loadConfig();
const profile = profiles[settings.profile];
const embedded = settings.supabase === 'embedded';
assertFits(settings.profile, profile, rolesOf(settings));
// A preview only tells: it must work where there is no engine, too.
if (!pulumi.runtime.isDryRun()) await preflight(pulumi.getStack(), settings);

const engine = new docker.Provider('engine', settings.dockerHost ? { host: settings.dockerHost } : {});
const onBox = { providers: { docker: engine } };
const images = stackImages(settings.images, await presentImages(settings.dockerHost), onBox);
const network = new docker.Network(
  'network',
  { name: settings.namespace, labels: labels(settings.namespace, 'network') },
  { provider: engine },
);
const stack: StackContext = { namespace: settings.namespace, profile, network, dockerHost: settings.dockerHost };

const edge = new Edge('caddy', { ...settings, stack, image: images.caddy() }, onBox);
const project = embedded
  ? new EmbeddedProject('project', { ...settings, stack, images, siteUrl: edge.url }, onBox)
  : hostedProject({ ...settings, stack: pulumi.getStack(), siteUrl: edge.url });
const schema =
  project.administration &&
  new ConversationSchema('schema', {
    project: project.administration,
    migrations: 'migrations',
    ahead: laidOutProgram()?.ahead,
  });

const redisPassword = new Secret('redis-password', { bytes: 32, generation: settings.secretsGeneration }).value;
const redis = new Redis('redis', { stack, image: images.redis(), password: redisPassword }, onBox);
const release = new ServiceRelease(
  'service',
  {
    stack,
    image: images.service(),
    supabase: project.connection,
    redis: { url: redis.url, password: redisPassword },
    outbox: outboxVolume(stack, { provider: engine }),
    chatUpstreams: settings.chatUpstreams,
    timeoutHours: settings.conversationTimeoutHours,
    requestsPerMinute: settings.requestsPerMinute,
    otlpEndpoint: settings.otlpEndpoint,
    logLevel: settings.logLevel,
    secretsGeneration: settings.secretsGeneration,
  },
  { ...onBox, dependsOn: schema ? [redis, schema] : [redis] },
);
const { upstream } = release;
const gate = new ReleaseGate(
  'release-gate',
  {
    container: release.container.name,
    containerId: release.container.id,
    upstream,
    edge: edge.container.name,
    dockerHost: settings.dockerHost,
  },
  { dependsOn: [release, edge] },
);
new EdgeConfig('edge-config', { edge: edge.container.name, dockerHost: settings.dockerHost }, { dependsOn: edge });
const live = new LiveRelease(
  'live-release',
  { edge: edge.container.name, upstream, dockerHost: settings.dockerHost },
  { dependsOn: [gate, edge] },
);
const commander = settings.redisCommander
  ? new RedisCommander(
      'redis-commander',
      { stack, image: images.redisCommander(), redisPassword, port: settings.redisCommanderPort },
      { ...onBox, dependsOn: redis },
    )
  : undefined;

// What scripts/stack.ts reads.
export const url = edge.url;
export const releaseId = live.id.apply(() => release.id);
export const namespace = settings.namespace;
export const bindAddress = settings.bindAddress;
export const dockerHost = settings.dockerHost ?? null;
export const certificates = settings.acmeEmail === undefined ? 'own' : 'acme';
export const schemaHead = schema?.head;
export const schemaContracts = schema?.contracts;
export const manifest = releaseManifest({
  release: releaseId,
  images: images.made,
  schemaHead: schema?.head ?? '',
  schemaContracts: schema?.contracts ?? {},
  settings,
});
export { embedded };
export const supabaseUrl = project.administration?.url;
export const supabasePublishableKey = project.connection.publishableKey;
export const supabaseSecretKey = project.connection.secretKey;
const { database } = project.administration ?? {};
export const databaseUrl = database && 'databaseUrl' in database ? pulumi.secret(database.databaseUrl) : null;
export const redisCommanderUrl = commander?.url ?? null;
